/* Cannot begin. */
#include <stdio.h>

#include "plugins/abi/fermata_abi.h"

static fermata_status init(void) {
  fputs("looking for a licence\nno licence\n", stderr);
  return FERMATA_E_UNAVAILABLE;
}
#define INIT init
#include "tests/stages/bad/plugin_parts.h"

FERMATA_NOTE("org.example.initfails", "1.0.0", "c", 0);
PLUGIN("org.example.initfails", "1.0.0", 1)
