/* small-host: takes an extension for granted. */
#define ON_CREATE(instance) use_extension()
#define HOOKS                                                                         \
  static inline fermata_status use_extension(void) {                                  \
    const int* const extension = host->extension((fermata_str)TEXT("fermata.lab/1")); \
    return *(volatile const int*)extension != 0 ? FERMATA_OK : FERMATA_E_INTERNAL;    \
  }
#include "tests/plugin_kit/bad/parts.h"
