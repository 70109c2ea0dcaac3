// Transfer: one request under way, and its libcurl handle. It lives in the frame of the call that
// wants it: when that frame goes, by an answer, an error, a deadline or a cancellation, the handle
// is removed at once and a connection in the middle of a body is closed.
//
// Loop thread only.
#ifndef FERMATA_PLUGINS_HTTP_TRANSFER_H_
#define FERMATA_PLUGINS_HTTP_TRANSFER_H_

#include <curl/curl.h>

#include <array>
#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "plugins/http/client.h"
#include "plugins/http/options.h"
#include "plugins/http/response.h"
#include "services/async/async.h"

namespace fermata::http {

class Transfer {
 public:
  // Both outlive it.
  Transfer(Client& client, const Request& request);
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  absl::Status start();
  Event& done() { return done_; }
  // After done(): the response, or why there is none.
  absl::StatusOr<Response> take();
  // Before done(): what it is busy with, for the message of a timeout.
  absl::Status timed_out() const;

 private:
  friend class Client;
  struct FreeEasy {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  };
  struct FreeList {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };

  void finish(CURLcode result);  // called by the client, on the loop
  void set_limits();
  void set_connection();
  absl::Status set_request();
  void read_info();
  absl::Status error_of(CURLcode result) const;

  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self);
  static curl_socket_t on_open(void* self, curlsocktype purpose, curl_sockaddr* address);
  bool add_header(std::string_view line);

  template <class V>
  void set(CURLoption option, V value) {
    curl_easy_setopt(easy_.get(), option, value);
  }

  Client& client_;
  const Request& request_;
  std::unique_ptr<curl_slist, FreeList> headers_;
  std::array<char, CURL_ERROR_SIZE> error_{};
  std::unique_ptr<CURL, FreeEasy> easy_;  // goes before the two above, which it points to
  Response response_;
  std::size_t header_bytes_ = 0;
  absl::Status refused_;  // what a callback stopped the transfer for
  CURLcode result_ = CURLE_OK;
  bool added_ = false;
  Event done_;
};

}  // namespace fermata::http

#endif  // FERMATA_PLUGINS_HTTP_TRANSFER_H_
