#pragma once

// What an RPC's error means to the person at the terminal, and to the script that reads the exit
// code: google.rpc details (AIP-193) as text and as JSON. Pure functions, any thread.

#include <string>
#include <string_view>

#include "grpcpp/support/status.h"
#include "services/cli/exit_code.h"

namespace fermata::cli {

struct RpcError {
  ExitCode exit = ExitCode::kInternal;
  std::string text;  // lines without a break at the end
  std::string json;  // {"error":{"code":...,"message":...,"reason":...}}
};

// `server` is the address that was called, for "nobody is there".
RpcError describe(const grpc::Status& status, std::string_view server);

// "NOT_FOUND"; a number for a code that is not known.
std::string code_name(int code);

}  // namespace fermata::cli
