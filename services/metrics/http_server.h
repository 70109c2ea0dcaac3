// MetricsServer: GET /metrics over HTTP, by prometheus-cpp.
//
// It owns two threads of its own, which do nothing but wait for scrapers and call Collect(). Made
// and destroyed by the daemon's main(); the destructor waits for scrapes that are being answered.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "prometheus/collectable.h"

namespace prometheus {
class Exposer;
}

namespace fermata {

class MetricsServer {
 public:
  // `address` is host:port; port 0 takes a free one. An address in use, or one that does not parse,
  // is an error that names it.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> start(
      const std::string& address, std::shared_ptr<prometheus::Collectable> collectable);
  ~MetricsServer();

  int port() const;

 private:
  MetricsServer(std::unique_ptr<prometheus::Exposer> exposer,
                std::shared_ptr<prometheus::Collectable> collectable);

  std::shared_ptr<prometheus::Collectable> collectable_;
  std::unique_ptr<prometheus::Exposer> exposer_;
};

}  // namespace fermata
