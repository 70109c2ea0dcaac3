/* Linked so that its stack may be executed. */
#include "tests/stages/bad/plugin_parts.h"

FERMATA_NOTE("org.example.execstack", "1.0.0", "c", 0);
PLUGIN("org.example.execstack", "1.0.0", 1)
