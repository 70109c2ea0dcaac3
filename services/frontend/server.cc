#include "services/frontend/server.h"

#include <array>
#include <functional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "services/frontend/services.h"

namespace fermata::frontend {
namespace {

// Room for everything in a request that is not payload.
constexpr uint64_t kEnvelope = 64 << 10;
// A peer that is gone without a word is noticed after a ping that nobody answers.
constexpr int kKeepaliveMs = 30'000;
constexpr int kKeepaliveTimeoutMs = 10'000;
// Clients may ping as often as this without being told off.
constexpr int kClientPingMs = 10'000;
constexpr int kMaxStreams = 16'384;  // calls at once on one connection; more wait in the client

const std::array<const char*, 4> kHealthNames = {"", "fermata.v1.Jobs", "fermata.v1.Pipelines",
                                                 "fermata.v1.Plugins"};

void configure(grpc::ServerBuilder& builder, const RpcLimits& limits) {
  builder.SetMaxReceiveMessageSize(static_cast<int>(limits.payload + kEnvelope));
  builder.SetMaxSendMessageSize(-1);  // results are bounded by the engine
  // Without this a second server on the same port would start, and take half of the clients.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kClientPingMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreams);
}

}  // namespace

class Server::State {
 public:
  State(Loop& loop, const Backend& backend, const RpcLimits& limits)
      : hub(loop, backend, limits), jobs(hub), pipelines(hub), plugins(hub) {}

  // Calls may be spawned while this exists; ends with its frame, also when that is cancelled.
  class Serving {
   public:
    Serving(RpcHub& hub, TaskGroup& group) : hub_(hub) { hub_.group = &group; }
    Serving(const Serving&) = delete;
    ~Serving() { hub_.group = nullptr; }

   private:
    RpcHub& hub_;
  };

  static Co<absl::Status> hold(TaskGroup& group, State& state) {
    const Serving serving(state.hub, group);
    co_await state.stopped.wait();
    co_return absl::OkStatus();
  }

  // On a thread of the pool: returns when every call has ended.
  static void shut_down(grpc::Server* server, absl::Duration grace) {
    server->Shutdown(absl::ToChronoTime(absl::Now() + grace));
  }

  RpcHub hub;
  JobsService jobs;
  PipelinesService pipelines;
  PluginsService plugins;
  Event stopped;
  int port = 0;
  std::unique_ptr<grpc::Server> server;  // last: its threads use all of the above
};

absl::StatusOr<std::unique_ptr<Server>> Server::start(Loop& loop, const Backend& backend,
                                                      const ServerOptions& options) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  auto state = std::make_unique<State>(loop, backend, options.limits);
  grpc::ServerBuilder builder;
  configure(builder, options.limits);
  builder.AddListeningPort(options.listen, grpc::InsecureServerCredentials(), &state->port);
  builder.RegisterService(&state->jobs);
  builder.RegisterService(&state->pipelines);
  builder.RegisterService(&state->plugins);
  state->server = builder.BuildAndStart();
  if (state->server == nullptr) {
    return absl::UnavailableError(absl::StrCat(
        "listen: cannot listen on ", options.listen,
        ": expected host:port of this machine, or unix:/path, that nobody else listens on; is "
        "another fermatad running?"));
  }
  if (absl::StartsWith(options.listen, "unix:")) state->port = 0;
  std::unique_ptr<Server> server(new Server(std::move(state)));
  server->set_serving(false);
  return server;
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}

Server::~Server() = default;  // grpc::Server shuts down by itself, if stop() has not done it

Co<absl::Status> Server::serve() {
  set_serving(true);
  co_return co_await with_group(&State::hold, std::ref(*state_));
}

void Server::set_serving(bool serving) {
  grpc::HealthCheckServiceInterface* health = state_->server->GetHealthCheckService();
  for (const char* name : kHealthNames) health->SetServingStatus(name, serving);
}

Co<void> Server::stop(absl::Duration grace) {
  set_serving(false);
  state_->hub.stopping = true;
  co_await offload(&State::shut_down, state_->server.get(), grace);
  state_->stopped.set();
}

int Server::port() const { return state_->port; }

const RpcCounters& Server::counters() const { return state_->hub.counters; }

}  // namespace fermata::frontend
