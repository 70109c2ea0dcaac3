// The host's side of the ABI: one table of functions for every plugin of this process.
//
// The functions find everything through the handles they are given, so there is one immutable table
// and no state.
#ifndef SERVICES_STAGES_HOST_TABLE_H_
#define SERVICES_STAGES_HOST_TABLE_H_

#include "plugins/abi/fermata_abi.h"

namespace fermata {

const fermata_host& host_table();

}  // namespace fermata

#endif  // SERVICES_STAGES_HOST_TABLE_H_
