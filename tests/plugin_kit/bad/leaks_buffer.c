/* buffer-ownership: never gives its input back. */
#define ON_FINISH(job) free(job)
#include "tests/plugin_kit/bad/parts.h"
