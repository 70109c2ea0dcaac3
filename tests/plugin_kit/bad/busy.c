/* loop-hold: works on the loop. */
#define ON_EVENT(job, event) (work(), answer_after(job, event))
#define HOOKS                                                   \
  static inline void work(void) {                               \
    for (volatile unsigned i = 0; i < 20u * 1000 * 1000; ++i) { \
    }                                                           \
  }
#include "tests/plugin_kit/bad/parts.h"
