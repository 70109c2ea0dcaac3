// FrontDoor: the listening sockets of the server, and who is let in by them.
//
// gRPC 1.51's own listener gives up for good at the first EMFILE, and has no limit on connections.
// So the loop accepts, and hands each connection to gRPC. Two rules keep the process alive whatever
// clients do:
//   - connections use at most kShare of the descriptors; who comes beyond that is closed at once,
//     so plugins, files and the store still get theirs. The kernel gives the lowest free number, so
//     a new descriptor's number says how many there are: nothing has to be counted.
//   - out of descriptors all the same (EMFILE, ENFILE, ENOMEM), accepting pauses for kPause, while
//     peers wait in the kernel's backlog; then it goes on.
//
// open() on any thread, all else on the loop's. Owns its sockets, and removes the file of a Unix
// socket when it goes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/server_builder.h"
#include "services/async/async.h"

namespace fermata::frontend {

struct DoorCounters {
  uint64_t accepted = 0;
  uint64_t turned_away = 0;  // no descriptor to spare
  uint64_t pauses = 0;       // out of descriptors or memory
};

class FrontDoor {
 public:
  static constexpr double kShare = 0.75;
  static constexpr absl::Duration kPause = absl::Milliseconds(100);
  static constexpr int kBacklog = 4096;  // the kernel caps it (net.core.somaxconn)

  // host:port or unix:/path. A name with several addresses listens on all of them, with one port.
  // UNAVAILABLE when somebody else listens there, or it is no address of this machine.
  static absl::StatusOr<std::unique_ptr<FrontDoor>> open(const std::string& address);
  ~FrontDoor();
  FrontDoor(const FrontDoor&) = delete;

  int port() const { return port_; }  // 0 for a unix socket
  const DoorCounters& counters() const { return counters_; }

  // Accepts, in tasks of `group`, until they are cancelled; gRPC takes each connection over. What
  // waits in the backlog then is refused when the door goes.
  void start(TaskGroup& group, grpc::experimental::ExternalConnectionAcceptor& grpc);

 private:
  FrontDoor() = default;
  absl::Status open_unix(const std::string& path);
  absl::Status open_hosts(const std::string& address);
  static Co<void> accept_from(FrontDoor& door, int socket,
                              grpc::experimental::ExternalConnectionAcceptor& grpc);
  // Takes whoever is there. False: out of descriptors or memory.
  bool accept_all(int socket, grpc::experimental::ExternalConnectionAcceptor& grpc);

  std::vector<int> sockets_;
  std::string path_;  // of the Unix socket
  int port_ = 0;
  int limit_ = 0;  // descriptors from this number on are not for connections
  DoorCounters counters_;
};

}  // namespace fermata::frontend
