// Server: the gRPC front end as one object.
//
//   start()        reads credentials and binds, any thread; clients wait in the backlog
//   serve()        on the loop: accepts, owns the calls' task group, health says SERVING, until
//                  stop()
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
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/async/async.h"
#include "services/frontend/audit_log.h"
#include "services/frontend/call_quota.h"
#include "services/frontend/credential_files.h"
#include "services/frontend/front_door.h"
#include "services/frontend/rpc_hub.h"

namespace fermata::frontend {

// Of connections; what is not said here is in configure().
struct ConnectionLimits {
  int streams = 4096;                             // calls at once on one; more wait in the client
  absl::Duration handshake = absl::Seconds(10);   // TLS, and the first bytes of HTTP/2
  absl::Duration idle = absl::Minutes(15);        // without a call, then it is closed
  absl::Duration age = absl::InfiniteDuration();  // then it is closed once its calls have ended
  size_t bytes = size_t{512} << 20;               // buffers of all of them
};

struct ServerOptions {
  std::string listen = "127.0.0.1:7450";  // host:port (port 0: a free one) or unix:/path
  RpcLimits limits;
  CallLimits calls;
  ConnectionLimits connections;
  CredentialOptions credentials;
  AuditOptions audit;                // to "": none
  std::vector<std::string> secrets;  // taken out of what plugins say of themselves
  Report report = [](bool, std::string_view) {};
};

class Server {
 public:
  // UNAVAILABLE when the address cannot be bound; else what is wrong with a file, by its name.
  static absl::StatusOr<std::unique_ptr<Server>> start(Loop& loop, const Backend& backend,
                                                       const ServerOptions& options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  Co<absl::Status> serve();

  // Any thread, as the next one: who says that the loop is late is not on it.
  void set_serving(bool serving);
  // The health of one part of the server under a name of its own, as "plugins/http". The server as
  // a whole serves all the same; while it does not, no part does.
  void set_part_serving(std::string_view name, bool serving);

  // Loop thread, as all that follows.
  //   wakes when   every call has ended, at the latest soon after `grace`
  //   on cancel    waits for that all the same
  Co<void> stop(absl::Duration grace);

  int port() const;                     // 0 for a unix socket
  const RpcCounters& counters() const;  // loop thread
  const DoorCounters& door() const;     // loop thread
  const Guard& guard() const;

 private:
  class State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fermata::frontend
