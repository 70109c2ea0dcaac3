// Multi: one libcurl multi handle on one event loop; all transfers of one stage instance, with
// their connections, DNS cache and TLS sessions.
//
//   libcurl's sockets --> an epoll set of our own --> ONE readable() on the loop
//   libcurl's timeout --> due_                    --> ONE timer on the loop
//
// libcurl closes descriptors, and gets the same number again, in the middle of a call; an epoll set
// of our own can be changed at once, whereas the loop's waits are coroutines that end later. It
// also costs the loop one wait however many sockets there are. Loop thread only; libcurl never
// blocks it: names are resolved by a thread of libcurl's.
#ifndef FERMATA_PLUGINS_CURL_MULTI_H_
#define FERMATA_PLUGINS_CURL_MULTI_H_

#include <curl/curl.h>

#include <cstddef>
#include <memory>

#include "absl/status/status.h"
#include "services/async/async.h"

namespace fermata::curl {

class Transfer;

struct MultiOptions {
  long connections_max = 512;
  long host_connections_max = 64;
};

class Multi {
 public:
  Multi() = default;
  // Once, before anything else.
  absl::Status open(const MultiOptions& options);
  // No transfer and neither of the two coroutines may be left.
  ~Multi();
  Multi(const Multi&) = delete;
  Multi& operator=(const Multi&) = delete;

  // Both must run, side by side, as long as there are transfers. They end by being cancelled.
  static Co<void> serve_sockets(Multi* multi);
  static Co<void> serve_timer(Multi* multi);

  std::size_t transfers() const { return transfers_; }

 private:
  friend class Transfer;

  CURLMcode add(CURL* easy);
  void remove(CURL* easy);  // closes the connection if the transfer is not over

  static int on_socket(CURL* easy, curl_socket_t fd, int what, void* self, void* known);
  static int on_timer(CURLM* multi, long timeout_ms, void* self);
  void act(curl_socket_t fd, int events);
  void act_on_ready_sockets();
  void finish_done();

  CURLM* multi_ = nullptr;
  int epoll_ = -1;
  std::size_t transfers_ = 0;
  absl::Time due_ = absl::InfiniteFuture();    // when libcurl wants to be called
  absl::Time armed_ = absl::InfiniteFuture();  // when serve_timer will look
  Event due_sooner_;
};

}  // namespace fermata::curl

#endif  // FERMATA_PLUGINS_CURL_MULTI_H_
