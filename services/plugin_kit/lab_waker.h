// A waker of the laboratory. Its handle stays readable after it was consumed, so that a second use
// is a finding. Guarded by the LabHost's mail mutex.
#ifndef SERVICES_PLUGIN_KIT_LAB_WAKER_H_
#define SERVICES_PLUGIN_KIT_LAB_WAKER_H_

#include <cstdint>

#include "plugins/abi/fermata_abi.h"
#include "services/plugin_kit/lab_call.h"
#include "services/plugin_kit/lab_host.h"

namespace fermata::kit {

struct LabHost::LabWaker {
  LabHost* host = nullptr;
  LabCall* call = nullptr;
  uint64_t token = 0;
  uint64_t value = 0;
  fermata_status status = FERMATA_OK;
  bool consumed = false;
};

}  // namespace fermata::kit

#endif  // SERVICES_PLUGIN_KIT_LAB_WAKER_H_
