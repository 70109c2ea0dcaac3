/* Wants another server. */
#include "plugins/abi/fermata_abi.h"

FERMATA_NOTE("org.example.refuses", "1.0.0", "c", 0);

const fermata_plugin* fermata_plugin_v1(const fermata_host* host) {
  (void)host;
  return (const fermata_plugin*)0;
}
