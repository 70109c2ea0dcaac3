/* A note, and an entry of another name. */
#include "plugins/abi/fermata_abi.h"

FERMATA_NOTE("org.example.nosymbol", "1.0.0", "c", 0);

FERMATA_EXPORT int fermata_plugin_v2(void) { return 2; }
