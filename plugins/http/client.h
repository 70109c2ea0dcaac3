// Client: one libcurl multi handle on one event loop; all transfers of one stage instance, with
// their connections, DNS cache and TLS sessions.
//
//   libcurl's sockets --> an epoll set of our own --> ONE readable() on the loop
//   libcurl's timeout --> due_                    --> ONE timer on the loop
//
// libcurl closes descriptors, and gets the same number again, in the middle of a call; an epoll set
// of our own can be changed at once, whereas the loop's waits are coroutines that end later. It
// also costs the loop one wait however many sockets there are. Loop thread only; libcurl never
// blocks it: names are resolved by a thread of libcurl's.
#ifndef FERMATA_PLUGINS_HTTP_CLIENT_H_
#define FERMATA_PLUGINS_HTTP_CLIENT_H_

#include <curl/curl.h>

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "plugins/http/options.h"
#include "services/async/async.h"

namespace fermata::http {

class Transfer;

class Client {
 public:
  static absl::StatusOr<std::unique_ptr<Client>> make(Config config);
  // No transfer and neither of the two coroutines may be left.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Both must run, side by side, as long as there are transfers. They end by being cancelled.
  static Co<void> serve_sockets(Client* client);
  static Co<void> serve_timer(Client* client);

  const Config& config() const { return config_; }
  std::size_t transfers() const { return transfers_; }

 private:
  friend class Transfer;
  explicit Client(Config config);
  absl::Status open();

  CURLMcode add(CURL* easy);
  void remove(CURL* easy);  // closes the connection if the transfer is not over

  static int on_socket(CURL* easy, curl_socket_t fd, int what, void* self, void* known);
  static int on_timer(CURLM* multi, long timeout_ms, void* self);
  void act(curl_socket_t fd, int events);
  void act_on_ready_sockets();
  void finish_done();

  const Config config_;
  CURLM* multi_ = nullptr;
  int epoll_ = -1;
  std::size_t transfers_ = 0;
  absl::Time due_ = absl::InfiniteFuture();    // when libcurl wants to be called
  absl::Time armed_ = absl::InfiniteFuture();  // when serve_timer will look
  Event due_sooner_;
};

}  // namespace fermata::http

#endif  // FERMATA_PLUGINS_HTTP_CLIENT_H_
