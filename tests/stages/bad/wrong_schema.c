/* Its config_schema is none. */
#define CONFIG_SCHEMA "{\"type\": 12}"
#include "tests/stages/bad/plugin_parts.h"

FERMATA_NOTE("org.example.wrongschema", "1.0.0", "c", 0);
PLUGIN("org.example.wrongschema", "1.0.0", 1)
