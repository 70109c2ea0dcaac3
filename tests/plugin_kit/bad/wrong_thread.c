/* blocking-thread: answers from the worker. */
#define BLOCKING blocking
#define ON_START(job) offload(job)
#define ON_EVENT(job, event) ((event)->status)
#define HOOKS                                                                 \
  static fermata_status blocking(void* state, uint64_t token) {               \
    (void)token;                                                              \
    return answer((struct job*)state);                                        \
  }                                                                           \
  static inline fermata_status offload(struct job* job) {                     \
    const fermata_status status = host->offload(job->call, TOKEN_WORK, 0, 0); \
    return status < 0 ? status : FERMATA_PENDING;                             \
  }
#include "tests/plugin_kit/bad/parts.h"
