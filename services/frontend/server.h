// Server: the gRPC front end as one object.
//
//   start()        binds and accepts, any thread; health says NOT_SERVING
//   serve()        on the loop: owns the calls' task group, health says SERVING, until stop()
//   set_serving()  health only: what a load balancer asks before it sends clients here
//   stop()         on the loop: no new calls, those in progress get `grace` to end, then serve()
//   ends
//
// Once started it must be stopped while the loop runs: calls that came in wait for the loop, and
// gRPC waits for them. stop() may be called again.
//
// Services: fermata.v1.{Jobs,Pipelines,Plugins}, grpc.health.v1.Health, reflection. The engine and
// the loop must outlive it.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/async/async.h"
#include "services/frontend/rpc_hub.h"

namespace fermata::frontend {

struct ServerOptions {
  std::string listen = "127.0.0.1:7450";  // host:port (port 0: a free one) or unix:/path
  RpcLimits limits;
};

class Server {
 public:
  // UNAVAILABLE when the address cannot be bound.
  static absl::StatusOr<std::unique_ptr<Server>> start(Loop& loop, const Backend& backend,
                                                       const ServerOptions& options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  Co<absl::Status> serve();

  // Any thread.
  void set_serving(bool serving);

  //   wakes when   every call has ended, at the latest soon after `grace`
  //   on cancel    waits for that all the same
  Co<void> stop(absl::Duration grace);

  int port() const;                     // 0 for a unix socket
  const RpcCounters& counters() const;  // loop thread

 private:
  class State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fermata::frontend
