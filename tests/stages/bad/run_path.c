/* Looks for libraries where others may write. */
#include "tests/stages/bad/plugin_parts.h"

FERMATA_NOTE("org.example.runpath", "1.0.0", "c", 0);
PLUGIN("org.example.runpath", "1.0.0", 1)
