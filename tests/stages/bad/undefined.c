/* Calls what nobody defines; linked without -z defs. */
#include "tests/stages/bad/plugin_parts.h"

extern int vips_foo(void);
FERMATA_EXPORT int use_it(void) { return vips_foo(); }

FERMATA_NOTE("org.example.undefined", "1.0.0", "c", 0);
PLUGIN("org.example.undefined", "1.0.0", 1)
