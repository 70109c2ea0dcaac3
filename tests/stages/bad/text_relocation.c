/* An address inside of its read-only code. */
#include "tests/stages/bad/plugin_parts.h"

__asm__(".text\n.quad fermata_plugin_v1\n");

FERMATA_NOTE("org.example.textrel", "1.0.0", "c", 0);
PLUGIN("org.example.textrel", "1.0.0", 1)
