"""Await normal form as a test: prints one line per finding, exits 1 when there is any.

usage: await_normal_form.py ROOT

g++ 12 miscompiles, silently, a co_await in a condition, and destroys twice a temporary that an
awaited expression makes with braces, a capturing lambda or ?:. One rule keeps clear of all of it
(services/async/README.md):

    co_await e;    T x = co_await e;    x = co_await e;    co_return co_await e;

where e holds no capturing lambda, no braces, no ?: and no other co_await. Also checked: a coroutine
lambda captures nothing, and every awaiter has a constructor.
"""
import re
import sys

import await_normal_form_cases
import cpp_text
from tidy import files, SOURCES

BEFORE = re.compile(
    r"""^(?:\(void\)
       |co_return
       |(?:[\w:<>,*&\s\[\]()\.]|->)+ (?<![=!<>+\-*/%|&^])=
       )?$""", re.X)
CONTROL = re.compile(r"^(?:else\b|do\b|default\s*:|case\b(?:[^:]|::)*:(?!:)|\w+\s*:(?!:)|(?:if|for|while|switch)\b)\s*")
CAPTURE = re.compile(r"(?:^|[(,=\s{&|]|return|co_await)\s*\[([^\[\]]*)\]\s*(?:<[^>]*>\s*)?[({]")
TEMPLATE = re.compile(r"(?<=\w)<(?:[\w:,\s*&]|<[\w:,\s*&]*>)*>(?=\()")
CLASS_HEAD = re.compile(
    r"\b(?:class|struct)(?:\s*\[\[\w+\]\])?\s+(?:\w+(?:<[\w, ]*>)?::)*(\w+)(?:\s+final)?\s*(?::(?!:)[^;{}]*)?$")
OPERATORS = re.compile(r"==|!=|&&|\|\||<=|>=|(?<=\s)[-+/%](?=\s)")


def statement_before(code, at):
    """What stands between the start of the statement and `at`; None inside brackets."""
    depth = 0
    for i in range(at - 1, -1, -1):
        c = code[i]
        if c in ")]":
            depth += 1
        elif c in "([":
            depth -= 1
            if depth < 0:
                return None
        elif depth == 0 and c in ";{}":
            return code[i + 1:at].strip()
    return code[:at].strip()


def strip_control(text):
    """`if (x) y =` is `y =`: what a condition guards is a statement of its own."""
    while True:
        found = CONTROL.match(text)
        if not found:
            return text
        rest = text[found.end():]
        if re.match(r"if|for|while|switch", found.group(0)):
            rest = re.sub(r"^constexpr\s*", "", rest)
            if not rest.startswith("("):
                return text
            rest = rest[cpp_text.close_of(rest, 0) + 1:]
        text = rest.strip()


def operand_after(code, at):
    """The awaited expression, and what ends it."""
    i = at
    while i < len(code):
        c = code[i]
        template = TEMPLATE.match(code, i)
        if template:
            i = template.end() - 1
        elif c in "([{":
            i = cpp_text.close_of(code, i)
        elif c in ")]},;":
            return code[at:i], c
        i += 1
    return code[at:], ""


def without_lambdas(text):
    """Blanks the bodies of lambdas: what they await is judged by itself. Also their captures."""
    captures = []
    found = CAPTURE.search(text)
    while found:
        captures.append(found.group(1).strip())
        brace = text.find("{", found.end() - 1)
        if text[found.end() - 1] == "(":
            brace = text.find("{", cpp_text.close_of(text, found.end() - 1))
        if brace < 0:
            break
        end = cpp_text.close_of(text, brace)
        text = text[:found.start(1) - 1] + " " * (end + 2 - found.start(1)) + text[end + 1:]
        found = CAPTURE.search(text)
    return text, captures


def judge(code, at):
    """What is wrong with the co_await at `at`, or None."""
    before = statement_before(code, at)
    if before is None:
        return "inside brackets: give the result a name first"
    if not BEFORE.match(strip_control(before)):
        return "not a statement, an initialiser, an assignment or co_return: give it a name first"
    operand, end = operand_after(code, at + len("co_await"))
    if end != ";":
        return "part of a larger expression: give it a name first"
    operand, captures = without_lambdas(operand)
    if any(captures):
        return "a capturing lambda in the awaited expression: pass its captures as arguments"
    if "{" in operand:
        return "braces in the awaited expression: name the object first"
    if "?" in operand:
        return "?: in the awaited expression: use if and else"
    opening = operand.find("(")
    while opening >= 0:
        operand = operand[:opening] + operand[cpp_text.close_of(operand, opening) + 1:]
        opening = operand.find("(")
    if OPERATORS.search(operand):
        return "an operator beside the awaited expression: give the result a name first"
    return None


def lambdas(code):
    """(position, captures, body) of every lambda."""
    for found in CAPTURE.finditer(code):
        opening = found.end() - 1
        brace = opening
        if code[opening] == "(":
            brace = code.find("{", cpp_text.close_of(code, opening))
            if brace < 0 or ";" in code[opening:brace].split(")")[-1]:
                continue
        yield found.start(1), found.group(1).strip(), code[brace:cpp_text.close_of(code, brace)]


def awaiters_without_constructor(code):
    for found in re.finditer(r"\bawait_ready\s*\(", code):
        depth, i = 0, found.start()
        while i > 0:
            i -= 1
            if code[i] == "}":
                depth += 1
            elif code[i] == "{":
                if depth == 0:
                    break
                depth -= 1
        head = CLASS_HEAD.search(code[:i])
        if not head:
            continue
        body = code[i:cpp_text.close_of(code, i)]
        if not re.search(r"(?<!~)\b%s\s*\(|\busing\s+[\w:<>, .]+::\w+;" % head.group(1), body):
            yield found.start(), head.group(1)


def findings(path, text):
    code = cpp_text.code_only(text)
    if "co_await" not in code and "co_return" not in code and "await_ready" not in code:
        return
    line = lambda at: code.count("\n", 0, at) + 1
    for found in re.finditer(r"\bco_await\b", code):
        if re.search(r"\boperator\s*$", code[:found.start()]):
            continue
        wrong = judge(code, found.start())
        if wrong:
            yield "%s:%d: co_await %s" % (path, line(found.start()), wrong)
    for at, captures, body in lambdas(code):
        inner, _ = without_lambdas(body)
        if captures and re.search(r"\bco_(await|return|yield)\b", inner):
            yield "%s:%d: a coroutine lambda captures [%s]: pass it as an argument" % (
                path, line(at), captures)
    for at, name in awaiters_without_constructor(code):
        yield "%s:%d: the awaiter %s needs a constructor" % (path, line(at), name)


def self_test():
    """Each planted fault must be found and nothing else, or this test could not fail."""
    for text in await_normal_form_cases.BAD:
        if not list(findings("planted", text)):
            yield "await_normal_form itself is broken: not found: %s" % text
    for text in await_normal_form_cases.GOOD:
        for line in findings("planted", text):
            yield "await_normal_form itself is broken: %s in: %s" % (line, text)


def main():
    root = sys.argv[1]
    found = list(self_test())
    count = 0
    for path in files(root):
        if path.endswith(SOURCES) and path.startswith(("services/", "plugins/", "tests/")):
            with open("%s/%s" % (root, path), encoding="utf-8") as source:
                text = source.read()
            count += text.count("co_await")
            found += findings(path, text)
    for line in found:
        print(line)
    print("%d findings in %d awaits" % (len(found), count))
    return 1 if found or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
