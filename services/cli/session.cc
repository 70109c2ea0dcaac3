#include "services/cli/session.h"

#include <unistd.h>

#include "absl/time/clock.h"
#include "services/cli/cat.h"
#include "services/cli/rpc_error.h"

namespace fermata::cli {

Session::Session(Options options_in, std::string server_in,
                 std::shared_ptr<grpc::Channel> channel_in)
    : options(std::move(options_in)),
      server(std::move(server_in)),
      out(inspect_terminal(STDOUT_FILENO, options.color, terminal_environment())),
      err(inspect_terminal(STDERR_FILENO, options.color, terminal_environment())),
      channel(std::move(channel_in)),
      jobs(v1::Jobs::NewStub(channel)),
      pipelines(v1::Pipelines::NewStub(channel)),
      plugins(v1::Plugins::NewStub(channel)) {}

ExitCode Session::fail(const grpc::Status& status) {
  const RpcError error = describe(status, server);
  if (options.json) out.write_line(error.json);
  err.write_line(cat("fermata: ", error.text));
  return error.exit;
}

ExitCode Session::fail_usage(const absl::Status& status) {
  err.write_line(cat("fermata: ", status.message()));
  return ExitCode::kUsage;
}

void set_deadline(grpc::ClientContext* context, absl::Duration timeout) {
  context->set_deadline(absl::ToChronoTime(absl::Now() + timeout));
}

}  // namespace fermata::cli
