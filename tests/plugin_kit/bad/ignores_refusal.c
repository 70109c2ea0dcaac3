/* error-everywhere: does not look at what an op answers. */
#define ON_START(job) (nap(job), FERMATA_PENDING)
#include "tests/plugin_kit/bad/parts.h"
