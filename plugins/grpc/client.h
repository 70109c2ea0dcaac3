// Client: the channels of one stage instance, one per target, made when first used.
//
// Loop thread only. gRPC keeps the connections, TLS and name resolution of a channel on threads of
// its own.
#ifndef FERMATA_PLUGINS_GRPC_CLIENT_H_
#define FERMATA_PLUGINS_GRPC_CLIENT_H_

#include <grpcpp/channel.h>

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "plugins/grpc/options.h"
#include "services/async/async.h"

namespace fermata::grpc_call {

class Client {
 public:
  explicit Client(Config config) : config_(std::move(config)) {}

  // Wakes with the answer. The error has the server's code; Unavailable: not done after
  // request.timeout. On cancel: at once, and the server is told. On shutdown: as cancelled.
  // `retry_after` is what the server asks for with an error, or negative.
  Co<absl::StatusOr<std::string>> call(const Request& request, absl::Duration* retry_after);

  const Config& config() const { return config_; }

 private:
  std::shared_ptr<grpc::Channel> channel(const std::string& target);

  const Config config_;
  std::map<std::string, std::shared_ptr<grpc::Channel>> channels_;  // by target
};

}  // namespace fermata::grpc_call

#endif  // FERMATA_PLUGINS_GRPC_CLIENT_H_
