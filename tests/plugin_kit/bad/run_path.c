/* deps-resolve: linked with a run path into somebody's home. */
#include "tests/plugin_kit/bad/parts.h"
