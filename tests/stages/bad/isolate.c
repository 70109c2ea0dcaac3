/* Asks for a process of its own. */
#include "tests/stages/bad/plugin_parts.h"

FERMATA_NOTE("org.example.isolate", "1.0.0", "c", FERMATA_PLUGIN_ISOLATE);
PLUGIN("org.example.isolate", "1.0.0", 1)
