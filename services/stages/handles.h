// What the ABI's opaque handles are on this side: each is the base of one class, so that a pointer
// crosses the boundary unchanged and nothing but this room can look behind it.
#ifndef SERVICES_STAGES_HANDLES_H_
#define SERVICES_STAGES_HANDLES_H_

#include "plugins/abi/fermata_abi.h"

struct fermata_call {};
struct fermata_instance {};
struct fermata_waker {};

#endif  // SERVICES_STAGES_HANDLES_H_
