// Client: the transfers of one http stage instance, and how the operator wants them. Loop thread
// only.
#ifndef FERMATA_PLUGINS_HTTP_CLIENT_H_
#define FERMATA_PLUGINS_HTTP_CLIENT_H_

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "plugins/curl/multi.h"
#include "plugins/http/options.h"

namespace fermata::http {

class Client : public curl::Multi {
 public:
  static absl::StatusOr<std::unique_ptr<Client>> make(Config config) {
    std::unique_ptr<Client> client(new Client(std::move(config)));
    const absl::Status status =
        client->open({client->config_.connections_max, client->config_.host_connections_max});
    if (!status.ok()) return status;
    return client;
  }
  const Config& config() const { return config_; }

 private:
  explicit Client(Config config) : config_(std::move(config)) {}
  const Config config_;
};

}  // namespace fermata::http

#endif  // FERMATA_PLUGINS_HTTP_CLIENT_H_
