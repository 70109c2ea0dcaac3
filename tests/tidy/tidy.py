"""Style as a test: prints one line per finding, exits 1 when there is any.

usage: tidy.py ROOT [--self-test]

Checks: every refusal of a plugin is in a test, includes against the arrows of the house (house.py), file length, banned calls, unfinished
business without a reason, header comments, line width, stray top-level entries.
"""
import os
import re
import subprocess
import sys
import tempfile

import house

SOURCES = (".cc", ".h")
TOP = {
    "services", "plugins", "proto", "deploy", "tests", "third_party", "BUILD.bazel", "WORKSPACE",
    "README.md", "LICENSE",
}
REFUSAL = re.compile(r"\brefusal\(\s*(\d{3})\b")
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b(?!\([a-z][^)]{8,}\))")


def files(root):
    """Paths that git tracks or would track, relative to root."""
    got = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", root, "ls-files", "-co", "--exclude-standard"],
        check=True, capture_output=True, text=True)
    return sorted(p for p in set(got.stdout.split("\n")) if p and os.path.isfile(os.path.join(root, p)))


def room_of(path):
    parts = path.split("/")
    return "/".join(parts[:2]) if len(parts) > 2 else None


def check_includes(path, lines):
    rooms = house.allowed(room_of(path) or "")
    if rooms is None:
        return
    for number, line in enumerate(lines, 1):
        found = INCLUDE.match(line)
        if not found:
            continue
        target = room_of(found.group(1))
        if target and target.startswith(("services/", "plugins/", "proto/")) and target not in rooms:
            yield "%s:%d: %s may not include %s; it may use: %s" % (
                path, number, room_of(path), found.group(1), ", ".join(sorted(rooms)))


def check_length(path, lines):
    if len(lines) > house.MAX_LINES:
        yield "%s:%d: %d lines, the limit is %d; split it by idea" % (
            path, len(lines), len(lines), house.MAX_LINES)


def check_lines(path, lines):
    for number, line in enumerate(lines, 1):
        if len(line.rstrip("\n")) > 100 and "http" not in line and 'R"' not in line:
            yield "%s:%d: %d columns, the limit is 100" % (path, number, len(line.rstrip("\n")))
        if UNFINISHED.search(line):
            yield "%s:%d: unfinished business without a reason in brackets" % (path, number)
        code = line.split("//")[0]
        for pattern, (why, where) in house.BANNED.items():
            if re.search(pattern, code) and not path.startswith(where or ("\0",)):
                yield "%s:%d: %s: %s" % (path, number, re.search(pattern, code).group(0), why)


def check_header_comment(path, lines):
    """A public header says what it is before any code."""
    if not path.endswith(".h") or not path.startswith(("services/", "plugins/")):
        return
    head = "".join(lines[:4])
    if "//" not in head and "/*" not in head:
        yield "%s:1: a header starts with what it is, who owns it and which thread may touch it" % path


def check_top(paths):
    for path in paths:
        top = path.split("/")[0]
        if top not in TOP and not top.startswith("."):
            yield "%s:1: the top level has no room for this" % path


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as source:
        return source.read()


def check_refusals(root, paths):
    """A text that no test has produced may be one that nothing produces."""
    tested = set()
    for path in paths:
        if path.startswith("tests/") and path.endswith((".cc", ".py")):
            tested.update(re.findall(r"PLG-(\d{3})", read(root, path)))
    for path in paths:
        if not path.startswith("services/") or not path.endswith(".cc"):
            continue
        text = read(root, path)
        for found in REFUSAL.finditer(text):
            if found.group(1) not in tested:
                yield "%s:%d: PLG-%s is in no test" % (
                    path, text.count("\n", 0, found.start()) + 1, found.group(1))


def findings(root):
    paths = files(root)
    yield from check_top(paths)
    yield from check_refusals(root, paths)
    for path in paths:
        if not path.endswith(SOURCES) or not path.startswith(("services/", "plugins/", "tests/")):
            continue
        with open(os.path.join(root, path), encoding="utf-8") as source:
            lines = source.readlines()
        for check in (check_includes, check_length, check_lines, check_header_comment):
            yield from check(path, lines)


PLANTED = {
    "services/async/up.h": '// x\n#include "services/engine/engine.h"\n',
    "services/engine/nap.cc": "void f() { usleep(3); }\n",
    "services/store/long.cc": "\n" * 401,
    "services/store/wide.cc": "int x;" + " " * 100 + "\n",
    "services/store/later.cc": "// TODO do it\n",
    "services/store/bare.h": "int x;\n\n\n\n\n// late\n",
    "services/stages/untested.cc": "absl::Status s() { return refusal(999, 0); }\n",
    "plugins/http/up.cc": '#include "services/stages/stages.h"\n',
    "services/frontend/load.cc": "void* f() { return dlopen(0, 0); }\n",
    "scratch/x.txt": "\n",
}


def self_test():
    """Each planted fault must be found, or this test could not fail."""
    with tempfile.TemporaryDirectory() as root:
        subprocess.run(["git", "init", "-q", root], check=True)
        for path, text in PLANTED.items():
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as out:
                out.write(text)
        found = {line.split(":")[0] for line in findings(root)}
        return sorted(set(PLANTED) - found)


def main():
    missed = self_test()
    for path in missed:
        print("tidy itself is broken: the fault planted in %s was not found" % path)
    found = list(findings(sys.argv[1]))
    for line in found:
        print(line)
    print("%d findings" % len(found))
    return 1 if found or missed else 0


if __name__ == "__main__":
    sys.exit(main())
