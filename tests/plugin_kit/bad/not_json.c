/* happy-path: an output that nobody can read. */
#define ON_EVENT(job, event) babble(job)
#define HOOKS                                                                      \
  static inline fermata_status babble(struct job* job) {                           \
    fermata_buf out;                                                               \
    if (host->buf_alloc(job->call, 5, &out) < 0) return FERMATA_E_NOMEM;           \
    memcpy(out.ptr, "hello", 5);                                                   \
    const fermata_status status = host->emit(job->call, &out, FERMATA_EMIT_FINAL); \
    host->buf_release(out.ref);                                                    \
    return status;                                                                 \
  }
#include "tests/plugin_kit/bad/parts.h"
