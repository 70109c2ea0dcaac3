// Link: one connection to the mail server, which libcurl makes when a message needs it and keeps.
//
// libcurl waits for the server's answer to a message inside of its own call (smtp_done() blocks),
// so no loop may call it: send() blocks, and belongs on a worker. stop() ends it from the loop:
//
//   loop     stopped_ = true; sockets shut down; libcurl's own wait woken
//   worker   looks at stopped_ before each wait; a read or a wait on such a socket ends at once
//
// The set of sockets has a mutex, since libcurl opens and closes them on the worker: a number that
// was closed may be another's socket by now.
#ifndef FERMATA_PLUGINS_SMTP_LINK_H_
#define FERMATA_PLUGINS_SMTP_LINK_H_

#include <curl/curl.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "plugins/smtp/options.h"

namespace fermata::smtp {

class Link {
 public:
  // `config` outlives it.
  explicit Link(const Config& config);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // Hands a message over; gives the JSON of the result. A reply of 4xx is Unavailable (another
  // attempt), one of 5xx FailedPrecondition. After an error the link is good for nothing. Blocks;
  // one thread at a time.
  absl::StatusOr<std::string> send(const Request& request, const std::string& message);
  // Ends a send() that is on another thread; it may have been too late. Never blocks. For good.
  void stop() noexcept;

 private:
  class Transfer;
  struct FreeMulti {
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
  };

  CURLcode drive(CURL* easy);
  static int on_open(void* self, curl_socket_t fd, curlsocktype purpose);
  static int on_close(void* self, curl_socket_t fd);

  const Config& config_;
  std::atomic<bool> stopped_ = false;
  std::mutex mutex_;
  std::set<curl_socket_t> sockets_;
  std::unique_ptr<CURLM, FreeMulti> multi_;  // first to go: closes its sockets through on_close()
};

}  // namespace fermata::smtp

#endif  // FERMATA_PLUGINS_SMTP_LINK_H_
