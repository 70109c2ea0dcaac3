// From the message a client sends to what the engine takes, with every field checked.
//
// All violations are reported together, each with its path in the request, so that a client fixes
// them in one go. Runs on gRPC's thread; moves the payload out of the message. What needs the
// engine's state (does the pipeline exist, does the input match its schema) is the engine's to say.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "fermata/v1/jobs.pb.h"
#include "services/engine/engine.h"
#include "services/frontend/rpc_hub.h"

namespace fermata::frontend {

absl::StatusOr<SubmitRequest> to_submit_request(v1::Job& job, std::string& request_id,
                                                const RpcLimits& limits);

// A protobuf duration, checked: within its own range, not negative.
absl::StatusOr<absl::Duration> read_duration(const google::protobuf::Duration& duration,
                                             std::string_view field);

}  // namespace fermata::frontend
