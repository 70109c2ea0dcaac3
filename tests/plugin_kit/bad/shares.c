/* side-by-side: two copies meet in one place of the process, its environment. */
#define ON_EVENT(job, event) alone(job, event)
#define INIT claim
#define HOOKS                                                                            \
  static char mine;                                                                      \
  static inline void name_of(char* text) {                                               \
    size_t i = 0;                                                                        \
    for (size_t n = (size_t)&mine; n != 0; n /= 10) text[i++] = (char)('0' + n % 10);    \
    text[i] = 0;                                                                         \
  }                                                                                      \
  static fermata_status claim(void) {                                                    \
    char text[32];                                                                       \
    name_of(text);                                                                       \
    return setenv("FERMATA_BAD_SHARES", text, 1) == 0 ? FERMATA_OK : FERMATA_E_INTERNAL; \
  }                                                                                      \
  static inline fermata_status alone(struct job* job, const fermata_event* event) {      \
    char text[32];                                                                       \
    name_of(text);                                                                       \
    const char* owner = getenv("FERMATA_BAD_SHARES");                                    \
    if (owner == NULL || strcmp(owner, text) != 0) return FERMATA_E_INTERNAL;            \
    return answer_after(job, event);                                                     \
  }
#include "tests/plugin_kit/bad/parts.h"
