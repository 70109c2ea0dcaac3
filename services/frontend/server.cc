#include "services/frontend/server.h"

#include <algorithm>
#include <array>
#include <climits>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/resource_quota.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "services/config/str_cat.h"
#include "services/frontend/revocation.h"
#include "services/frontend/services.h"

namespace fermata::frontend {
namespace {

// Room for everything in a request that is not payload.
constexpr uint64_t kEnvelope = 64 << 10;
// A peer that is gone without a word is noticed after a ping that nobody answers.
constexpr int kKeepaliveMs = 30'000;
constexpr int kKeepaliveTimeoutMs = 10'000;
// Clients may ping as often as this; whoever does so more often is hung up on after two strikes.
constexpr int kClientPingMs = 10'000;
constexpr int kPingStrikes = 2;
// All headers of a call: a token has 90 bytes, tracing some hundred.
constexpr int kMaxHeaders = 16 << 10;
constexpr absl::Duration kAuditPeriod = absl::Milliseconds(200);
constexpr absl::Duration kRevocationPeriod = absl::Seconds(1);

const std::array<const char*, 4> kHealthNames = {"", "fermata.v1.Jobs", "fermata.v1.Pipelines",
                                                 "fermata.v1.Plugins"};

int milliseconds(absl::Duration duration) {
  return static_cast<int>(std::min<int64_t>(absl::ToInt64Milliseconds(duration), INT_MAX));
}

void configure(grpc::ServerBuilder& builder, const ServerOptions& options) {
  builder.SetMaxReceiveMessageSize(static_cast<int>(options.limits.payload + kEnvelope));
  builder.SetMaxSendMessageSize(-1);  // results are bounded by the engine
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxHeaders);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kClientPingMs);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, kPingStrikes);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  const ConnectionLimits& connections = options.connections;
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, connections.streams);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
                             milliseconds(connections.handshake));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, milliseconds(connections.idle));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, milliseconds(connections.age));
  // Frees buffers, and then sheds streams, of whoever made it so large. For what no limit of ours
  // sees: messages that are still coming in, and the streams of health and reflection.
  grpc::ResourceQuota quota("fermata");
  quota.Resize(connections.bytes);
  builder.SetResourceQuota(quota);
}

}  // namespace

class Server::State {
 public:
  State(Loop& loop, const Backend& backend, const ServerOptions& options)
      : guard(options.calls),
        hub(loop, backend, options.limits, guard),
        jobs(hub),
        pipelines(hub),
        plugins(hub),
        report(options.report) {
    guard.redactor = Redactor(options.secrets);
  }
  // What was audited last.
  ~State() {
    if (guard.audit != nullptr) (void)guard.audit->write();
  }

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
    co_return co_await with_group(&State::attend, std::ref(state));
  }

  // Everything that goes on beside the calls, and ends when the server is told to stop.
  static Co<absl::Status> attend(TaskGroup& group, State& state) {
    state.door->start(group, *state.acceptor);
    if (state.files->watches_anything()) {
      group.spawn_named("credentials", &CredentialFiles::keep_fresh, std::ref(*state.files),
                        std::ref(state.guard.authenticator), std::cref(state.report));
    }
    if (state.files->policy() != nullptr) {
      group.spawn_named("revocation", &State::keep_revoked, std::ref(state));
    }
    if (state.guard.audit != nullptr) {
      group.spawn_named("audit", &State::keep_audit, std::ref(state));
    }
    co_await state.stopped.wait();
    group.cancel();
    co_return absl::OkStatus();
  }

  static Co<void> keep_revoked(State& state) {
    while (true) {
      co_await sleep(kRevocationPeriod);
      end_revoked(state.hub, *state.files->policy(), absl::Now());
    }
  }

  static Co<void> keep_audit(State& state) {
    while (true) {
      co_await sleep(kAuditPeriod);
      const absl::Status written = co_await offload(&State::write_audit, state.guard.audit.get());
      if (!written.ok()) state.report(true, from_absl(written.message()));
    }
  }
  static absl::Status write_audit(AuditLog* audit) { return audit->write(); }

  // On a thread of the pool: returns when every call has ended.
  static void shut_down(grpc::Server* server, absl::Duration grace) {
    server->Shutdown(absl::ToChronoTime(absl::Now() + grace));
  }

  Guard guard;
  RpcHub hub;
  JobsService jobs;
  PipelinesService pipelines;
  PluginsService plugins;
  const Report report;
  Event stopped;
  std::mutex health_mutex;  // guards the next two, and that health is told them in order
  bool serving = false;
  std::map<std::string, bool> parts;  // by the name that health has for them
  std::unique_ptr<CredentialFiles> files;
  std::unique_ptr<FrontDoor> door;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor;
  std::unique_ptr<grpc::Server> server;  // last: its threads use all of the above
};

absl::StatusOr<std::unique_ptr<Server>> Server::start(Loop& loop, const Backend& backend,
                                                      const ServerOptions& options) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  auto state = std::make_unique<State>(loop, backend, options);
  absl::StatusOr<std::unique_ptr<CredentialFiles>> files =
      CredentialFiles::open(options.credentials);
  if (!files.ok()) return files.status();
  state->files = *std::move(files);
  state->guard.authenticator.replace(state->files->policy());
  if (!options.audit.to.empty()) {
    absl::StatusOr<std::unique_ptr<AuditLog>> audit = AuditLog::open(options.audit);
    if (!audit.ok()) return audit.status();
    state->guard.audit = *std::move(audit);
  }
  absl::StatusOr<std::unique_ptr<FrontDoor>> door = FrontDoor::open(options.listen);
  if (!door.ok()) return door.status();
  state->door = *std::move(door);
  grpc::ServerBuilder builder;
  configure(builder, options);
  state->acceptor = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      state->files->credentials());
  builder.RegisterService(&state->jobs);
  builder.RegisterService(&state->pipelines);
  builder.RegisterService(&state->plugins);
  state->server = builder.BuildAndStart();
  if (state->server == nullptr) return absl::InternalError("gRPC cannot start; its log says why");
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
  const std::lock_guard<std::mutex> lock(state_->health_mutex);
  state_->serving = serving;
  grpc::HealthCheckServiceInterface* health = state_->server->GetHealthCheckService();
  for (const char* name : kHealthNames) health->SetServingStatus(name, serving);
  for (const auto& [name, good] : state_->parts) health->SetServingStatus(name, serving && good);
}

void Server::set_part_serving(std::string_view name, bool serving) {
  const std::lock_guard<std::mutex> lock(state_->health_mutex);
  const auto [part, fresh] = state_->parts.try_emplace(std::string(name), serving);
  if (!fresh && std::exchange(part->second, serving) == serving) return;
  state_->server->GetHealthCheckService()->SetServingStatus(part->first,
                                                            state_->serving && serving);
}

Co<void> Server::stop(absl::Duration grace) {
  set_serving(false);
  state_->hub.stopping = true;
  co_await offload(&State::shut_down, state_->server.get(), grace);
  state_->stopped.set();
}

int Server::port() const { return state_->door->port(); }

const RpcCounters& Server::counters() const { return state_->hub.counters; }
const DoorCounters& Server::door() const { return state_->door->counters(); }
const Guard& Server::guard() const { return state_->guard; }

}  // namespace fermata::frontend
