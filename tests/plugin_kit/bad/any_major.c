/* wrong-major: takes whatever comes. */
#define SUITS(host) ((host) != NULL)
#include "tests/plugin_kit/bad/parts.h"
