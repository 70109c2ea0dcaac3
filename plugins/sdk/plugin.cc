#include "plugins/sdk/plugin.h"

namespace fermata::sdk {

const fermata_host*& host_slot() noexcept {
  static const fermata_host* host = nullptr;
  return host;
}

bool host_suffices(const fermata_host& host) noexcept {
  return host.abi_major == FERMATA_ABI_MAJOR && FERMATA_HAS(fermata_host, &host, metric_update);
}

}  // namespace fermata::sdk
