#include "plugins/http/transfer.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "services/async/check.h"
#include "services/config/bytes.h"
#include "services/config/duration.h"
#include "services/config/str_cat.h"

namespace fermata::http {
namespace {

constexpr std::size_t kHeaderBytesMax = 256 << 10;
constexpr char kProtocols[] = "http,https";

}  // namespace

absl::Status Transfer::start() {
  absl::Status status = prepare();
  if (!status.ok()) return status;
  set_limits();
  set_connection();
  status = set_request();
  return status.ok() ? begin() : status;
}

void Transfer::set_limits() {
  // The loop owns the environment; libcurl must not use it.
  set(CURLOPT_PROXY, client_.config().proxy.c_str());
  set(CURLOPT_NOPROXY, "");
  set(CURLOPT_PROTOCOLS_STR, kProtocols);
  set(CURLOPT_REDIR_PROTOCOLS_STR, kProtocols);
  set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  const bool follows =
      request_.method == "GET" || request_.method == "HEAD" || request_.method == "POST";
  set(CURLOPT_FOLLOWLOCATION, follows && request_.redirects_max > 0 ? 1L : 0L);
  set(CURLOPT_MAXREDIRS, request_.redirects_max);
  set(CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(request_.bytes_max));
  // The total time is the caller's timeout(): libcurl's does not count the wait for a connection.
  set(CURLOPT_CONNECTTIMEOUT_MS,
      static_cast<long>(absl::ToInt64Milliseconds(request_.connect_timeout)));
}

void Transfer::set_connection() {
  const Config& config = client_.config();
  set(CURLOPT_SSL_VERIFYPEER, config.insecure ? 0L : 1L);
  set(CURLOPT_SSL_VERIFYHOST, config.insecure ? 0L : 2L);
  if (!config.ca_file.empty()) set(CURLOPT_CAINFO, config.ca_file.c_str());
  set(CURLOPT_HTTP_VERSION,
      static_cast<long>(config.http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_OPENSOCKETFUNCTION, &Transfer::on_open);
  set(CURLOPT_OPENSOCKETDATA, this);
}

absl::Status Transfer::set_request() {
  set(CURLOPT_URL, request_.url.c_str());
  set(CURLOPT_USERAGENT, client_.config().user_agent.c_str());
  set(CURLOPT_ACCEPT_ENCODING, "");  // all that libcurl can decode
  set(CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  set(CURLOPT_WRITEDATA, this);
  set(CURLOPT_HEADERFUNCTION, &Transfer::on_header);
  set(CURLOPT_HEADERDATA, this);
  for (const std::string& header : request_.headers) {
    const absl::Status added = add_line(headers_, header);
    if (!added.ok()) return added;
  }
  // libcurl would wait a second for "100 Continue" before a large body.
  const absl::Status added = add_line(headers_, "Expect:");
  if (!added.ok()) return added;
  set(CURLOPT_HTTPHEADER, headers_.get());

  if (request_.method == "HEAD") {
    set(CURLOPT_NOBODY, 1L);
  } else if (request_.method != "GET") {
    if (request_.has_body || request_.method == "POST") {
      set(CURLOPT_POST, 1L);
      set(CURLOPT_POSTFIELDS, request_.body.data());
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    }
    if (request_.method != "POST") set(CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  }
  return absl::OkStatus();
}

void Transfer::on_end() {
  if (result() != CURLE_OK) return;
  char* url = nullptr;
  curl_off_t microseconds = 0;
  curl_easy_getinfo(easy(), CURLINFO_RESPONSE_CODE, &response_.status);
  curl_easy_getinfo(easy(), CURLINFO_EFFECTIVE_URL, &url);
  curl_easy_getinfo(easy(), CURLINFO_REDIRECT_COUNT, &response_.redirects);
  curl_easy_getinfo(easy(), CURLINFO_TOTAL_TIME_T, &microseconds);
  if (url != nullptr) response_.url = url;
  response_.elapsed_ms = microseconds / 1000;
}

absl::StatusOr<Response> Transfer::take() {
  FERMATA_CHECK(done().is_set(), "take() before the transfer is done");
  if (!refused_.ok() && result() != CURLE_OK) return refused_;
  if (result() != CURLE_OK) return error_of(result());
  return std::move(response_);
}

std::size_t Transfer::on_body(char* data, std::size_t size, std::size_t count, void* self) {
  auto* transfer = static_cast<Transfer*>(self);
  const std::size_t bytes = size * count;
  std::string& body = transfer->response_.body;
  if (body.size() + bytes > transfer->request_.bytes_max) {
    transfer->refused_ = transfer->error_of(CURLE_FILESIZE_EXCEEDED);
    return 0;  // not what it gave us: libcurl stops the transfer
  }
  body.append(data, bytes);
  return bytes;
}

std::size_t Transfer::on_header(char* data, std::size_t size, std::size_t count, void* self) {
  const std::size_t bytes = size * count;
  return static_cast<Transfer*>(self)->add_header(std::string_view(data, bytes)) ? bytes : 0;
}

bool Transfer::add_header(std::string_view line) {
  header_bytes_ += line.size();
  if (header_bytes_ > kHeaderBytesMax) {
    refused_ = absl::OutOfRangeError(str_cat("http: ", shown_url(request_.url), " sends more than ",
                                             kHeaderBytesMax, " bytes of headers"));
    return false;
  }
  if (line.starts_with("HTTP/")) {  // the answer to a redirect, "100 Continue" and the like
    response_.headers.clear();
    return true;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return true;
  std::string name(line.substr(0, colon));
  std::string value(line.substr(colon + 1));
  absl::AsciiStrToLower(&name);
  absl::StripAsciiWhitespace(&value);
  response_.headers.emplace_back(std::move(name), std::move(value));
  return true;
}

curl_socket_t Transfer::on_open(void* self, curlsocktype, curl_sockaddr* address) {
  auto* transfer = static_cast<Transfer*>(self);
  const std::optional<Address> target = address_of(address->addr);
  if (!target.has_value() || !transfer->client_.config().addresses.allows(*target)) {
    transfer->refused_ = absl::PermissionDeniedError(
        str_cat("http: ", shown_url(transfer->request_.url), " leads to ",
                target.has_value() ? address_text(*target) : "no internet address",
                ", which this server's http plugin may not connect to"));
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

}  // namespace fermata::http
