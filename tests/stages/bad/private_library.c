/* Looks for libraries beside itself; it needs libc.so.6, for a test to rename. */
#include <stdlib.h>

#include "tests/stages/bad/plugin_parts.h"

FERMATA_EXPORT void* use_libc(void) { return malloc(1); }

FERMATA_NOTE("org.example.private", "1.0.0", "c", 0);
PLUGIN("org.example.private", "1.0.0", 1)
