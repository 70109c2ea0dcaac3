// Permissions on a certain queue, asked for on the loop once the queue is known.
//
// A job in a queue that the caller may not read does not exist, as far as they can tell: the answer
// is the NOT_FOUND of a job that was never there, to the byte. In a queue that they may read, a
// missing permission is told as PERMISSION_DENIED. Where the caller has the permission on every
// queue, or nobody is asked who they are, nothing is looked up.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "fermata/v1/jobs.pb.h"
#include "services/async/async.h"
#include "services/engine/engine.h"
#include "services/frontend/call_context.h"
#include "services/frontend/rpc_hub.h"

namespace fermata::frontend {

// Whether check_job() has anything to check; when not, the call need not wait for it.
inline bool must_check(const CallContext& call, Permission permission) {
  return call.caller != nullptr && !call.caller->may_everywhere(permission);
}

//   on cancel    at once
Co<absl::Status> check_job(RpcHub& hub, CallContext& call, const std::string& id,
                           Permission permission);

// Before the engine looks anything up, so it does not tell which pipelines there are. Request ids
// become the principal's own: nobody finds out those of others, or is answered with their job.
absl::Status check_submit(CallContext& call, SubmitRequest& request);

// A page of the jobs that the caller may read, cut to what fits into one answer. Short pages are
// no end (AIP-158): how many jobs of others one call passes over is bounded.
//   on cancel    at once
Co<absl::StatusOr<JobPage>> list_visible(RpcHub& hub, CallContext& call, ListQuery query,
                                         v1::JobView view);

}  // namespace fermata::frontend
