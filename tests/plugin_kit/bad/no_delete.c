/* unloadable: linked with -z nodelete. */
#include "tests/plugin_kit/bad/parts.h"
