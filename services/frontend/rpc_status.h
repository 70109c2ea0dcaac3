// From absl::Status to what a client of any language can act on: grpc::Status with google.rpc
// details.
//
// Every error gets an ErrorInfo, whose reason and metadata come from the status's ErrorDetail
// (engine/errors.h) or, for one without, from its code; RetryInfo, QuotaFailure, BadRequest,
// ResourceInfo and PreconditionFailure follow when there is something to say (AIP-193). All of it
// travels in HTTP/2 headers, which clients limit to 8 KiB: texts are cut to fit, since an error
// that is too long to arrive would reach the client as a broken connection.
//
// Stateless; any thread.
#pragma once

#include "absl/status/status.h"
#include "grpcpp/support/status.h"

namespace fermata::frontend {

inline constexpr const char* kErrorDomain = "fermata.dev";

grpc::Status to_rpc_status(const absl::Status& status);

}  // namespace fermata::frontend
