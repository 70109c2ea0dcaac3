/* metrics-hygiene: a counter that does not say so. */
#define ON_CREATE(instance) define((instance)->handle)
#define HOOKS                                                       \
  static inline fermata_status define(fermata_instance* handle) {   \
    uint32_t id = 0;                                                \
    const fermata_metric_def def = {.struct_size = sizeof def,      \
                                    .kind = FERMATA_METRIC_COUNTER, \
                                    .name = TEXT("fetched"),        \
                                    .help = TEXT("pages")};         \
    return host->metric_define(handle, &def, &id);                  \
  }
#include "tests/plugin_kit/bad/parts.h"
