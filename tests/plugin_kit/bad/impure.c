/* describe-pure: another descriptor each time. */
#define OWN_ENTRY
#include "tests/plugin_kit/bad/parts.h"

const fermata_plugin* fermata_plugin_v1(const fermata_host* table) {
  static fermata_plugin copies[8];
  static int n;
  if (!SUITS(table)) return NULL;
  host = table;
  copies[n % 8] = plugin;
  return &copies[n++ % 8];
}
