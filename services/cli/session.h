#pragma once

// What every command works with: the parsed options, the two outputs and the server's stubs.
//
// One thread; made by main(), handed to one command.

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "fermata/v1/jobs.grpc.pb.h"
#include "fermata/v1/pipelines.grpc.pb.h"
#include "fermata/v1/plugins.grpc.pb.h"
#include "grpcpp/channel.h"
#include "services/cli/options.h"
#include "services/cli/output.h"

namespace fermata::cli {

struct Session {
  Session(Options options_in, std::string server_in, std::shared_ptr<grpc::Channel> channel_in);

  Options options;
  std::string server;  // for messages: its address, or "this process"
  Output out;          // results
  Output err;          // progress and errors
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::Jobs::Stub> jobs;
  std::unique_ptr<v1::Pipelines::Stub> pipelines;
  std::unique_ptr<v1::Plugins::Stub> plugins;

  // Each tells on stderr (with --json on stdout too) and gives the exit code to end with.
  ExitCode fail(const grpc::Status& status);
  ExitCode fail_usage(const absl::Status& status);
};

// How long a call may take that the server answers at once.
inline constexpr absl::Duration kCallTimeout = absl::Seconds(10);
void set_deadline(grpc::ClientContext* context, absl::Duration timeout = kCallTimeout);

// The commands, each in the file of its name.
ExitCode run_command(Session& session);
ExitCode submit_command(Session& session);
ExitCode get_command(Session& session);
ExitCode list_command(Session& session);
ExitCode watch_command(Session& session);
ExitCode cancel_command(Session& session);
ExitCode delete_command(Session& session);
ExitCode pipelines_command(Session& session);
ExitCode plugins_command(Session& session);

}  // namespace fermata::cli
