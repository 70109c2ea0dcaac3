/* oom-everywhere: writes wherever buf_alloc() left it. */
#define ON_EVENT(job, event) trusting(job, event)
#define HOOKS                                                                          \
  static inline fermata_status trusting(struct job* job, const fermata_event* event) { \
    fermata_buf out;                                                                   \
    if (event->status < 0) return event->status;                                       \
    host->buf_alloc(job->call, job->input.len, &out);                                  \
    memcpy(out.ptr, job->input.ptr, job->input.len);                                   \
    const fermata_status status = host->emit(job->call, &out, FERMATA_EMIT_FINAL);     \
    host->buf_release(out.ref);                                                        \
    return status;                                                                     \
  }
#include "tests/plugin_kit/bad/parts.h"
