/* finish-once: speaks for the call that finished before. */
#define HOOKS static fermata_call* before;
#define ON_FINISH(job)                      \
  do {                                      \
    fermata_call* const call = (job)->call; \
    free_job(job);                          \
    before = call;                          \
  } while (0)
#define ON_DESTROY(instance) (host->cancel_op(before, TOKEN_NAP), free(instance))
#include "tests/plugin_kit/bad/parts.h"
