/* concurrency: one place for all calls. */
#define HOOKS static struct job* last;
#define ON_START(job) (last = (job), nap(job))
#define ON_EVENT(job, event)                           \
  ((event)->kind != FERMATA_EV_TIMER ? FERMATA_PENDING \
   : (event)->status < 0             ? (event)->status \
   : last == (job)                   ? answer(job)     \
                                     : FERMATA_E_INTERNAL)
#include "tests/plugin_kit/bad/parts.h"
