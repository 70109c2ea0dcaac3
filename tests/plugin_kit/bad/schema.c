/* schema-valid: a schema that is none. */
#define CONFIG_SCHEMA "{\"type\":\"objekt\"}"
#include "tests/plugin_kit/bad/parts.h"
