/* entry-only-export: linked without the version script. */
#include "tests/plugin_kit/bad/parts.h"

FERMATA_EXPORT int helper(void) { return 1; }
