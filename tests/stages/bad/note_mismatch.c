/* Copied from another plugin, and only half renamed. */
#include "tests/stages/bad/plugin_parts.h"

FERMATA_NOTE("org.a", "1.2.0", "c", 0);
PLUGIN("org.b", "1.2.0", 1)
