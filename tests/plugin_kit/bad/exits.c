/* Any check that runs it: so is exit(). */
#define ON_START(job) (exit(3), FERMATA_OK)
#include "tests/plugin_kit/bad/parts.h"
