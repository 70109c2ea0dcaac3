/* Everything but the note. */
#include "tests/stages/bad/plugin_parts.h"

PLUGIN("org.example.nonote", "1.0.0", 1)
