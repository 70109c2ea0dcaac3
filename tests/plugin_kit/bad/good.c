/* Nothing wrong with it: every check must pass. */
#include "tests/plugin_kit/bad/parts.h"
