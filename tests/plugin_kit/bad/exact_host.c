/* big-host: wants the table to be as long as its own header says. */
#define SUITS(host) \
  ((host)->abi_major == FERMATA_ABI_MAJOR && (host)->struct_size == sizeof(fermata_host))
#include "tests/plugin_kit/bad/parts.h"
