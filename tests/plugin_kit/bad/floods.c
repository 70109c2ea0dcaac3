/* backpressure: emits whatever the host says. */
#define FLAGS FERMATA_STAGE_STREAMS
#define ON_EVENT(job, event) flood(job, event)
#define HOOKS                                                                       \
  static inline fermata_status flood(struct job* job, const fermata_event* event) { \
    for (int i = 0; event->status == 0 && i < 3; i++) {                             \
      host->emit(job->call, &job->input, 0);                                        \
    }                                                                               \
    return answer_after(job, event);                                                \
  }
#include "tests/plugin_kit/bad/parts.h"
