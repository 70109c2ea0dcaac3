/* reload-drain: a thread of its own that nobody joins. */
#include <pthread.h>
#include <unistd.h>
#define INIT run_for_ever
#define HOOKS                                                                            \
  static void* wait_for_ever(void* none) {                                               \
    for (;;) pause();                                                                    \
    return none;                                                                         \
  }                                                                                      \
  static fermata_status run_for_ever(void) {                                             \
    pthread_t thread;                                                                    \
    return pthread_create(&thread, NULL, wait_for_ever, NULL) == 0 ? FERMATA_OK          \
                                                                   : FERMATA_E_INTERNAL; \
  }
#include "tests/plugin_kit/bad/parts.h"
