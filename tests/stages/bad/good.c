/* Nothing wrong with it: what the others are compared with, and what tests cut and change. */
#include <stdlib.h>

#include "tests/stages/bad/plugin_parts.h"

/* So that it needs libc.so.6, and a version of it. */
FERMATA_EXPORT void* use_libc(void) { return malloc(1); }

FERMATA_NOTE("org.example.good", "1.0.0", "c", 0);
PLUGIN("org.example.good", "1.0.0", 1)
