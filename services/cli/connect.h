#pragma once

// A connection to a server: plain or TLS, with or without a token.
//
// The token goes with every call, and only where nobody can read it on the way: over TLS, to this
// machine, or through a Unix socket. One thread.

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "grpcpp/channel.h"
#include "services/cli/options.h"

namespace fermata::cli {

// Live, with no limit on message size: results may be large, and the server has its own limits.
// An error is about the options: a file that cannot be read, a token that would travel in the open.
absl::StatusOr<std::shared_ptr<grpc::Channel>> connect(const std::string& address,
                                                       const ConnectionOptions& options);

}  // namespace fermata::cli
