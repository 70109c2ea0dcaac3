/* deadline: sleeps on, whatever happens. */
#define ON_START(job) sleep_on(job)
#define ON_EVENT(job, event) answer_after(job, event)
#define HOOKS                                                                                      \
  static inline fermata_status sleep_on(struct job* job) {                                         \
    const uint64_t due = host->now_ns(job->instance) + 60ull * 1000 * 1000 * 1000;                 \
    const fermata_status status = host->sleep_until(job->call, TOKEN_NAP, due, FERMATA_OP_SHIELD); \
    return status < 0 ? status : FERMATA_PENDING;                                                  \
  }
#include "tests/plugin_kit/bad/parts.h"
