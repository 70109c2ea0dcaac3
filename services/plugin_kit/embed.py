"""Writes a C++ file with the texts of other files in it: embed.py OUT PATH..."""
import sys

HEAD = """// Written by embed.py.
#include "services/plugin_kit/embedded_files.h"

namespace fermata::kit {
namespace {

constexpr EmbeddedFile kFiles[] = {
"""
TAIL = """};

}  // namespace

std::span<const EmbeddedFile> embedded_files() { return kFiles; }

}  // namespace fermata::kit
"""


def main(out, paths):
    with open(out, "w", encoding="utf-8") as target:
        target.write(HEAD)
        for path in sorted(paths):
            with open(path, encoding="utf-8") as source:
                text = source.read()
            if ")embed\"" in text:
                sys.exit("embed.py: %s holds the text that ends a file" % path)
            # With its size: counting a megabyte of letters is more than compilers do for a constant.
            size = len(text.encode("utf-8"))
            target.write('    {"%s", {R"embed(%s)embed", %d}},\n' % (path, text, size))
        target.write(TAIL)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
