"""C++ source as text that can be searched: comments, literals and directives blanked, in place."""
import re

NOISE = re.compile(
    r"""//[^\n]*
      | /\*.*?\*/
      | R"(?P<tag>[^\s()\\]{0,16})\(.*?\)(?P=tag)"
      | "(?:\\.|[^"\\\n])*"
      | (?<![0-9a-fA-F])'(?:\\.|[^'\\\n])*'
      | ^[ \t]*\#(?:\\\n|[^\n])*""", re.X | re.S | re.M)
PAIRS = {"(": ")", "[": "]", "{": "}"}


def code_only(text):
    """The same text, positions kept; a string or character becomes spaces in quotes."""

    def blank(found):
        whole = found.group(0)
        spaces = re.sub(r"[^\n]", " ", whole)
        if whole[0] in "\"'" and len(whole) > 1:
            return whole[0] + spaces[1:-1] + whole[-1]
        return spaces

    return NOISE.sub(blank, text)


def close_of(code, opening):
    """The position of the bracket that closes the one at `opening`; the end if there is none."""
    depth = 0
    for i in range(opening, len(code)):
        if code[i] in PAIRS:
            depth += 1
        elif code[i] in ")]}":
            depth -= 1
            if depth == 0:
                return i
    return len(code)
