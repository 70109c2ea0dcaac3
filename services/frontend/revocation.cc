#include "services/frontend/revocation.h"

#include <vector>

#include "services/frontend/access_errors.h"
#include "services/frontend/rpc_call.h"

namespace fermata::frontend {

bool lasts(RpcMethod method) {
  return method == RpcMethod::kRun || method == RpcMethod::kWait || method == RpcMethod::kWatch;
}

void end_revoked(RpcHub& hub, const AccessPolicy& policy, absl::Time now) {
  // A call that ends leaves the set.
  std::vector<RpcCall::Ref> calls;
  for (RpcCall* call : hub.lasting) {
    const Principal& caller = *call->caller();
    if (now >= caller.expires || !policy.has(caller)) calls.emplace_back(*call);
  }
  for (const RpcCall::Ref& call : calls) {
    const Principal& caller = *(*call).caller();
    (*call).revoke(now >= caller.expires ? credentials_expired(caller)
                                         : credentials_changed(caller));
  }
}

}  // namespace fermata::frontend
