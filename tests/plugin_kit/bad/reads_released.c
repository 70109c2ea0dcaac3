/* buffer-ownership: reads what it did not keep. */
#define ON_START(job) (host->buf_release((job)->input.ref), nap(job))
#define ON_FINISH(job) free(job)
#include "tests/plugin_kit/bad/parts.h"
