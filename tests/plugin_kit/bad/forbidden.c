/* forbidden-imports: would end the server. */
#include <stdlib.h>
#define ON_CREATE(instance) (getenv("FERMATA_NEVER_SET") ? (exit(3), FERMATA_OK) : FERMATA_OK)
#include "tests/plugin_kit/bad/parts.h"
