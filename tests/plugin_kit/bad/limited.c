/* concurrency: not wrong. So many calls at once, and no more. */
#define HOOKS static int running;
#define ON_START(job) (++running > 10 ? FERMATA_E_UNAVAILABLE : nap(job))
#define ON_FINISH(job) (--running, free_job(job))
#include "tests/plugin_kit/bad/parts.h"
