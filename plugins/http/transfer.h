// Transfer: one request under way, and its answer. plugins/curl/transfer.h says how it lives and
// ends.
//
// Loop thread only.
#ifndef FERMATA_PLUGINS_HTTP_TRANSFER_H_
#define FERMATA_PLUGINS_HTTP_TRANSFER_H_

#include <curl/curl.h>

#include <cstddef>

#include "absl/status/statusor.h"
#include "plugins/curl/transfer.h"
#include "plugins/http/client.h"
#include "plugins/http/options.h"
#include "plugins/http/response.h"
#include "services/async/async.h"

namespace fermata::http {

class Transfer final : public curl::Transfer {
 public:
  // Both outlive it.
  Transfer(Client& client, const Request& request)
      : curl::Transfer(client), client_(client), request_(request) {}
  ~Transfer() override { leave(); }

  absl::Status start();
  // After done(): the response, or why there is none.
  absl::StatusOr<Response> take();
  // Before done(): what it is busy with, for the message of a timeout.
  absl::Status timed_out() const;

 private:
  void on_end() override;
  void set_limits();
  void set_connection();
  absl::Status set_request();
  absl::Status error_of(CURLcode result) const;

  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self);
  static curl_socket_t on_open(void* self, curlsocktype purpose, curl_sockaddr* address);
  bool add_header(std::string_view line);

  Client& client_;
  const Request& request_;
  curl::List headers_;
  Response response_;
  std::size_t header_bytes_ = 0;
  absl::Status refused_;  // what a callback stopped the transfer for
};

}  // namespace fermata::http

#endif  // FERMATA_PLUGINS_HTTP_TRANSFER_H_
