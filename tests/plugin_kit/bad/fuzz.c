/* fuzz: one input in many leaks. */
#define ON_FINISH(job) ((job)->input.len > 64 ? free(job) : free_job(job))
#include "tests/plugin_kit/bad/parts.h"
