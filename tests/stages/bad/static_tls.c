/* Thread-local storage that only a few loads find room for. */
#include "tests/stages/bad/plugin_parts.h"

static __thread __attribute__((tls_model("initial-exec"))) int counter;
FERMATA_EXPORT int count(void) { return ++counter; }

FERMATA_NOTE("org.example.statictls", "1.0.0", "c", 0);
PLUGIN("org.example.statictls", "1.0.0", 1)
