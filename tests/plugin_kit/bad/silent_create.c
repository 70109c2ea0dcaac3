/* config-reject: refuses what its schema allows, and does not say why. */
#define CONFIG_SCHEMA ""
#define HOOKS static int configs;
#define ON_CREATE(instance) (configs++ == 0 ? FERMATA_OK : (free(instance), FERMATA_E_INVALID))
#include "tests/plugin_kit/bad/parts.h"
