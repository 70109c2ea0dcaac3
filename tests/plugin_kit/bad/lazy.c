/* hardening: linked with -z lazy. */
#include "tests/plugin_kit/bad/parts.h"
