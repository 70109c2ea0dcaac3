// fermata: the command line. Submits jobs, follows them, stops them; see options.cc for all of it.
#include <csignal>
#include <cstdlib>
#include <string_view>

#include "services/cli/cat.h"
#include "services/cli/connect.h"
#include "services/cli/local_server.h"
#include "services/cli/options.h"
#include "services/cli/plugin_group.h"
#include "services/cli/session.h"
#include "services/cli/store_command.h"
#include "services/cli/token_command.h"

namespace fermata::cli {
namespace {

ExitCode run_named(Session& session) {
  switch (session.options.command) {
    case Command::kRun:
      return run_command(session);
    case Command::kSubmit:
      return submit_command(session);
    case Command::kGet:
      return get_command(session);
    case Command::kList:
      return list_command(session);
    case Command::kWatch:
      return watch_command(session);
    case Command::kCancel:
      return cancel_command(session);
    case Command::kDelete:
      return delete_command(session);
    case Command::kPipelines:
      return pipelines_command(session);
    case Command::kPlugins:
      return plugins_command(session);
    case Command::kStore:
      return store_command(session.options);
    case Command::kTokenNew:
      return token_command(session.options);
  }
  return ExitCode::kInternal;
}

ExitCode dispatch(Session& session) { return end_with(run_named(session), session.out); }

std::string environment_value(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

OptionsEnvironment environment() {
  OptionsEnvironment out;
  out.server = environment_value("FERMATA_SERVER");
  out.config = environment_value("FERMATA_CONFIG");
  out.connection.tls_ca = environment_value("FERMATA_TLS_CA");
  out.connection.tls_cert = environment_value("FERMATA_TLS_CERT");
  out.connection.tls_key = environment_value("FERMATA_TLS_KEY");
  out.connection.token_file = environment_value("FERMATA_TOKEN_FILE");
  out.connection.token = environment_value("FERMATA_TOKEN");
  return out;
}

ExitCode print_stop(const ParseStop& stop) {
  if (stop.code == ExitCode::kOk) return print(stop.text);
  Output(Terminal{.fd = 2}).write(stop.text);
  return stop.code;
}

ExitCode fail_usage(const absl::Status& status) {
  Output(Terminal{.fd = 2}).write_line(cat("fermata: ", status.message()));
  return ExitCode::kUsage;
}

ExitCode run_locally(Options options) {
  const absl::StatusOr<std::unique_ptr<LocalServer>> local = LocalServer::start(options.local);
  Output err(Terminal{.fd = 2});
  if (!local.ok()) return fail_usage(local.status());
  for (const std::string& refusal : (*local)->refusals()) {
    if (!options.quiet) err.write_line(cat("fermata: ", refusal));
  }
  const absl::StatusOr<std::shared_ptr<grpc::Channel>> channel =
      connect((*local)->address(), ConnectionOptions());
  if (!channel.ok()) return fail_usage(channel.status());
  Session session(std::move(options), "this process", *channel);
  const ExitCode code = dispatch(session);
  // Left in a hurry: a loop that is stuck must not keep us here.
  if (code == ExitCode::kInterrupted) std::_Exit(static_cast<int>(code));
  return code;
}

ExitCode fermata_main(int argc, char** argv) {
  // A reader that leaves shows as a failed write, see output.h.
  std::signal(SIGPIPE, SIG_IGN);
  if (argc > 1 && std::string_view(argv[1]) == "plugin") return plugin_group(argc - 1, argv + 1);
  auto parsed = parse_options(argc, argv, environment());
  if (const auto* stop = std::get_if<ParseStop>(&parsed)) return print_stop(*stop);
  Options options = std::get<Options>(std::move(parsed));
  if (options.command == Command::kStore) return store_command(options);
  if (options.local.enabled) return run_locally(std::move(options));
  if (options.command == Command::kTokenNew) return token_command(options);
  const std::string server = options.server;
  const absl::StatusOr<std::shared_ptr<grpc::Channel>> channel =
      connect(server, options.connection);
  if (!channel.ok()) return fail_usage(channel.status());
  Session session(std::move(options), server, *channel);
  return dispatch(session);
}

}  // namespace
}  // namespace fermata::cli

int main(int argc, char** argv) { return static_cast<int>(fermata::cli::fermata_main(argc, argv)); }
