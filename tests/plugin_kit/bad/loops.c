/* Any check that runs it: so is not coming back. */
#define ON_START(job) spin()
#define HOOKS                               \
  static volatile int for_ever = 1;         \
  static inline fermata_status spin(void) { \
    while (for_ever) {                      \
    }                                       \
    return FERMATA_OK;                      \
  }
#include "tests/plugin_kit/bad/parts.h"
