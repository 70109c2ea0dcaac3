#include "plugins/s3/exchange.h"

#include "absl/strings/ascii.h"
#include "plugins/curl/transfer.h"
#include "services/config/bytes.h"
#include "services/config/duration.h"
#include "services/config/str_cat.h"

namespace fermata::s3 {
namespace {

constexpr std::size_t kHeaderBytesMax = 64 << 10;
constexpr std::size_t kErrorBytesMax = 64 << 10;
constexpr long kConnectTimeoutMs = 10'000;

std::string what(const Request& request) {
  return str_cat("s3 ", request.put ? "put " : "get ", request.bucket, "/", request.key, ": ");
}

class Transfer final : public curl::Transfer {
 public:
  Transfer(curl::Multi& multi, const Config& config, const Request& request)
      : curl::Transfer(multi), config_(config), request_(request) {}
  ~Transfer() override { leave(); }

  absl::Status start() {
    absl::Status status = prepare();
    if (!status.ok()) return status;
    set_connection();
    set_signature();
    status = set_headers();
    return status.ok() ? begin() : status;
  }

  absl::StatusOr<Answer> take() {
    if (result() == CURLE_OK) return std::move(answer_);
    if (!refused_.ok()) return refused_;
    if (result() == CURLE_FILESIZE_EXCEEDED) return too_large();
    return absl::Status(curl::code_of(result()), str_cat(what(request_), detail(result())));
  }

 private:
  void set_connection() {
    set(CURLOPT_URL, request_.url.c_str());
    set(CURLOPT_PATH_AS_IS, 1L);
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_PROXY, "");
    set(CURLOPT_FOLLOWLOCATION, 0L);  // a signature is for one host
    set(CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMs);
    set(CURLOPT_TCP_KEEPALIVE, 1L);
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    if (!config_.ca_file.empty()) set(CURLOPT_CAINFO, config_.ca_file.c_str());
    set(CURLOPT_WRITEFUNCTION, &Transfer::on_body);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_HEADERFUNCTION, &Transfer::on_header);
    set(CURLOPT_HEADERDATA, this);
    set(CURLOPT_USERAGENT, "fermata-s3/1.0");
    if (!request_.put) return;
    set(CURLOPT_POST, 1L);
    set(CURLOPT_CUSTOMREQUEST, "PUT");
    set(CURLOPT_POSTFIELDS, request_.content.data());
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.content.size()));
  }

  void set_signature() {
    set(CURLOPT_AWS_SIGV4, str_cat("aws:amz:", config_.region, ":s3").c_str());
    set(CURLOPT_USERNAME, config_.access_key.c_str());
    set(CURLOPT_PASSWORD, config_.secret_key.c_str());
  }

  absl::Status set_headers() {
    std::vector<std::string> lines = request_.headers;
    if (!config_.session_token.empty()) {
      lines.push_back(str_cat("x-amz-security-token: ", config_.session_token));
    }
    // No "Expect:" to suppress "100 Continue", as http has it: libcurl 7.88 signs it, and then does
    // not send it, which S3 refuses. S3 answers 100 at once.
    for (const std::string& line : lines) {
      const absl::Status added = add_line(headers_, line);
      if (!added.ok()) return added;
    }
    set(CURLOPT_HTTPHEADER, headers_.get());
    return absl::OkStatus();
  }

  void on_end() override {
    curl_off_t microseconds = 0;
    curl_easy_getinfo(easy(), CURLINFO_RESPONSE_CODE, &answer_.status);
    curl_easy_getinfo(easy(), CURLINFO_TOTAL_TIME_T, &microseconds);
    answer_.elapsed_ms = microseconds / 1000;
  }

  absl::Status too_large() const {
    return absl::OutOfRangeError(str_cat(what(request_), "the object is larger than ",
                                         format_bytes(request_.bytes_max), " (max_bytes)"));
  }

  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self) {
    auto* transfer = static_cast<Transfer*>(self);
    const std::size_t bytes = size * count;
    long status = 0;
    curl_easy_getinfo(transfer->easy(), CURLINFO_RESPONSE_CODE, &status);
    std::string& body = transfer->answer_.body;
    const bool object = status == 200 && !transfer->request_.put;
    if (object && body.size() + bytes > transfer->request_.bytes_max) {
      transfer->refused_ = transfer->too_large();
      return 0;  // not what it gave us: libcurl stops the transfer
    }
    if (object || body.size() + bytes <= kErrorBytesMax) body.append(data, bytes);
    return bytes;
  }

  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self) {
    auto* transfer = static_cast<Transfer*>(self);
    const std::size_t bytes = size * count;
    const std::string_view line(data, bytes);
    transfer->header_bytes_ += bytes;
    if (transfer->header_bytes_ > kHeaderBytesMax) {
      transfer->refused_ = absl::OutOfRangeError(
          str_cat(what(transfer->request_), "more than ", kHeaderBytesMax, " bytes of headers"));
      return 0;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return bytes;
    std::string name(line.substr(0, colon));
    std::string value(line.substr(colon + 1));
    absl::AsciiStrToLower(&name);
    absl::StripAsciiWhitespace(&value);
    transfer->answer_.headers.emplace_back(std::move(name), std::move(value));
    return bytes;
  }

  const Config& config_;
  const Request& request_;
  curl::List headers_;
  Answer answer_;
  std::size_t header_bytes_ = 0;
  absl::Status refused_;  // what a callback stopped the transfer for
};

}  // namespace

std::string_view Answer::header(std::string_view name) const {
  for (const auto& [known, value] : headers) {
    if (known == name) return value;
  }
  return "";
}

Co<absl::StatusOr<Answer>> exchange(curl::Multi& multi, const Config& config,
                                    const Request& request) {
  Transfer transfer(multi, config, request);
  const absl::Status started = transfer.start();
  if (!started.ok()) co_return started;
  const absl::Status in_time = co_await timeout(request.timeout, transfer.done().wait());
  if (in_time.ok()) co_return transfer.take();
  co_return absl::UnavailableError(
      str_cat(what(request), "not done after ", format_duration(request.timeout), " (timeout)"));
}

}  // namespace fermata::s3
