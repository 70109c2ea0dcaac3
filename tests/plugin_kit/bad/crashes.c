/* Any check that runs it: SIGSEGV is a verdict. */
#define ON_START(job) (*(volatile int*)8 = 1, FERMATA_OK)
#include "tests/plugin_kit/bad/parts.h"
