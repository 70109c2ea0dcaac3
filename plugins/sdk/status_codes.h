// absl::Status and the ABI's status, both ways. README.md has the table: it decides what is
// retried.
#ifndef PLUGINS_SDK_STATUS_CODES_H_
#define PLUGINS_SDK_STATUS_CODES_H_

#include <string_view>

#include "absl/status/status.h"
#include "plugins/abi/fermata_abi.h"

namespace fermata {

fermata_status to_abi(absl::StatusCode code) noexcept;
absl::Status from_abi(fermata_status status, std::string_view message);

}  // namespace fermata

#endif  // PLUGINS_SDK_STATUS_CODES_H_
