/* cancel-everywhere: gives its input back only when all goes well. */
#define ON_EVENT(job, event) note_cancel(job, event)
#define ON_FINISH(job) (cancelled ? free(job) : free_job(job))
#define HOOKS                                                                             \
  static int cancelled;                                                                   \
  static inline fermata_status note_cancel(struct job* job, const fermata_event* event) { \
    cancelled = event->status == FERMATA_E_CANCELLED;                                     \
    return answer_after(job, event);                                                      \
  }
#include "tests/plugin_kit/bad/parts.h"
