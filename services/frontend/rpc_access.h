// Which permission each method asks for: the one table. A method that is missing here would ask for
// Permission::kNone, which nobody has; a test holds the table against the proto files.
//
// grpc.health.v1.Health and reflection ask for nothing: a probe has no token, and the API's shape
// is public. They say whether the server serves, and which methods it has.
#pragma once

#include <array>

#include "services/frontend/permission.h"
#include "services/frontend/rpc_method.h"

namespace fermata::frontend {

struct RpcAccess {
  RpcMethod method;
  Permission permission;
  bool audited;  // what changes something; refusals are audited for every method
};

inline constexpr std::array<RpcAccess, kRpcMethods> kRpcAccess = {{
    {RpcMethod::kSubmit, Permission::kSubmit, true},
    {RpcMethod::kRun, Permission::kSubmit, true},
    {RpcMethod::kGet, Permission::kRead, false},
    {RpcMethod::kList, Permission::kRead, false},
    {RpcMethod::kWait, Permission::kRead, false},
    {RpcMethod::kWatch, Permission::kRead, false},
    {RpcMethod::kCancel, Permission::kCancel, true},
    {RpcMethod::kDelete, Permission::kDelete, true},
    {RpcMethod::kListPipelines, Permission::kCatalog, false},
    {RpcMethod::kGetPipeline, Permission::kCatalog, false},
    {RpcMethod::kListPlugins, Permission::kCatalog, false},
}};

constexpr const RpcAccess& access_of(RpcMethod method) {
  return kRpcAccess[static_cast<size_t>(method)];
}

constexpr bool every_method_has_its_place() {
  for (size_t i = 0; i < kRpcMethods; ++i) {
    const RpcAccess& access = kRpcAccess[i];
    if (static_cast<size_t>(access.method) != i || access.permission == Permission::kNone) {
      return false;
    }
  }
  return true;
}
static_assert(every_method_has_its_place(),
              "kRpcAccess needs one line per RpcMethod, in its order");

}  // namespace fermata::frontend
