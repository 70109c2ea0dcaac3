/* A descriptor without stages. */
#include "tests/stages/bad/plugin_parts.h"

FERMATA_NOTE("org.example.nostages", "1.0.0", "c", 0);
PLUGIN("org.example.nostages", "1.0.0", 0)
