/* One symbol that the whole process shares, as g++ makes of an inline variable without a version
 * script. */
#include "tests/stages/bad/plugin_parts.h"

__asm__(
    ".data\n"
    ".globl shared_by_all\n"
    ".type shared_by_all, @gnu_unique_object\n"
    ".size shared_by_all, 4\n"
    "shared_by_all: .long 1\n"
    ".text\n");

FERMATA_NOTE("org.example.unique", "1.0.0", "c", 0);
PLUGIN("org.example.unique", "1.0.0", 1)
