// Connection: one socket to Redis, ready for commands (signed in, database chosen).
//
// Loop thread only; one command at a time. After an error other than one of Redis' own it is good
// for nothing: the pool's lease is let go without keep().
#ifndef FERMATA_PLUGINS_REDIS_CONNECTION_H_
#define FERMATA_PLUGINS_REDIS_CONNECTION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "plugins/redis/options.h"
#include "plugins/redis/reply.h"
#include "services/async/async.h"
#include "services/async/net/address.h"
#include "services/async/net/resolve.h"

namespace fermata::redis {

class Connection {
 public:
  // Wakes when it is usable. Unavailable: nobody answers, or not within config.connect_timeout;
  // PermissionDenied: the password is wrong. On cancel: at once, the socket is closed. On shutdown:
  // as cancelled. The references outlive it.
  static Co<absl::StatusOr<std::unique_ptr<Connection>>> open(const Config& config,
                                                              Resolver& resolver);

  // Wakes with the reply, which may be one of Redis' errors. Unavailable: the connection broke. On
  // cancel: at once, the connection is spoilt. On shutdown: as cancelled.
  Co<absl::StatusOr<std::unique_ptr<Reply>>> ask(const std::vector<std::string>& command,
                                                 std::uint64_t reply_bytes_max);

  // Nothing has come, not even the end, since the last reply.
  bool usable() const;

 private:
  explicit Connection(std::string address) : address_(std::move(address)) {}
  Co<absl::Status> connect(const Address& address);
  Co<absl::Status> sign_in(const Config& config);
  Co<absl::Status> send(const std::string& bytes);

  static Co<absl::StatusOr<std::unique_ptr<Connection>>> make(const Config& config,
                                                              Resolver& resolver);

  const std::string address_;
  Descriptor socket_;
  ReplyReader reader_;
};

}  // namespace fermata::redis

#endif  // FERMATA_PLUGINS_REDIS_CONNECTION_H_
