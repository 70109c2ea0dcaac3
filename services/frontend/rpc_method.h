// The methods, as indexes of the front end's counters and as label values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace fermata::frontend {

enum class RpcMethod : uint8_t {
  kSubmit,
  kRun,
  kGet,
  kList,
  kWait,
  kWatch,
  kCancel,
  kDelete,
  kListPipelines,
  kGetPipeline,
  kListPlugins,
};

inline constexpr std::array<const char*, 11> kRpcMethodNames = {
    "Jobs.Submit", "Jobs.Run",    "Jobs.Get",       "Jobs.List",     "Jobs.Wait",   "Jobs.Watch",
    "Jobs.Cancel", "Jobs.Delete", "Pipelines.List", "Pipelines.Get", "Plugins.List"};

inline constexpr size_t kRpcMethods = kRpcMethodNames.size();

}  // namespace fermata::frontend
