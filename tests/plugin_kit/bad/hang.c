/* token-discipline: PENDING, and nothing that could wake it. */
#define ON_START(job) FERMATA_PENDING
#include "tests/plugin_kit/bad/parts.h"
