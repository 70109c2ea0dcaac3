// Calls that last end when the credentials that they began with do: a token that is revoked,
// expires or gets other permissions does not go on watching. A client that still may, calls again.
//
// Those are Run, Wait and Watch; the others are over sooner than anybody could look. Run's job is
// cancelled, as when its client leaves. Loop thread.
#pragma once

#include "absl/time/time.h"
#include "services/frontend/access_policy.h"
#include "services/frontend/rpc_hub.h"
#include "services/frontend/rpc_method.h"

namespace fermata::frontend {

bool lasts(RpcMethod method);

// Ends the calls of whom `policy` does not have as they were, and of whom has expired by `now`.
void end_revoked(RpcHub& hub, const AccessPolicy& policy, absl::Time now);

}  // namespace fermata::frontend
