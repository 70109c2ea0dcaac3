/* create-destroy-loop: keeps what create() made. */
#define HOOKS static void* volatile kept;
#define ON_CREATE(instance) (kept = memset(malloc(4096), 1, 4096), FERMATA_OK)
#include "tests/plugin_kit/bad/parts.h"
