#include "plugins/smtp/link.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "plugins/curl/transfer.h"
#include "services/config/json.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"

namespace fermata::smtp {
namespace {

constexpr long kConnectTimeoutMs = 10'000;
// stop() wakes it; this is for what libcurl has to do by itself.
constexpr int kWaitMs = 1000;

CURLM* make_multi() {
  static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return ready ? curl_multi_init() : nullptr;
}

}  // namespace

// One message: what libcurl is told about it, and what it tells.
class Link::Transfer {
 public:
  Transfer(Link& link, const Request& request, const std::string& message)
      : link_(link), config_(link.config_), request_(request), rest_(message) {}
  Transfer(const Transfer&) = delete;

  absl::StatusOr<std::string> run() {
    if (easy_ == nullptr || !add_recipients()) {
      return absl::ResourceExhaustedError("smtp: no memory for a transfer");
    }
    set_connection();
    set_message();
    return judge(link_.drive(easy_.get()));
  }

 private:
  struct FreeEasy {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  };
  template <class V>
  void set(CURLoption option, V value) {
    curl_easy_setopt(easy_.get(), option, value);
  }

  bool add_recipients() {
    for (const auto* list : {&request_.to, &request_.cc, &request_.bcc}) {
      for (const std::string& address : *list) {
        curl_slist* longer =
            curl_slist_append(recipients_.get(), str_cat("<", address, ">").c_str());
        if (longer == nullptr) return false;
        (void)recipients_.release();
        recipients_.reset(longer);
      }
    }
    return true;
  }

  void set_connection() {
    set(CURLOPT_ERRORBUFFER, error_.data());
    set(CURLOPT_NOSIGNAL, 1L);  // the server owns signals
    set(CURLOPT_URL, str_cat(config_.tls == Tls::kImplicit ? "smtps://" : "smtp://", config_.server,
                             "/", config_.helo)
                         .c_str());
    set(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    set(CURLOPT_PROXY, "");
    set(CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMs);
    if (config_.tls == Tls::kStartTls) set(CURLOPT_USE_SSL, static_cast<long>(CURLUSESSL_ALL));
    if (!config_.ca_file.empty()) set(CURLOPT_CAINFO, config_.ca_file.c_str());
    if (!config_.username.empty()) set(CURLOPT_USERNAME, config_.username.c_str());
    if (!config_.password.empty()) set(CURLOPT_PASSWORD, config_.password.c_str());
    set(CURLOPT_SOCKOPTFUNCTION, &Link::on_open);
    set(CURLOPT_SOCKOPTDATA, &link_);
    set(CURLOPT_CLOSESOCKETFUNCTION, &Link::on_close);
    set(CURLOPT_CLOSESOCKETDATA, &link_);
    set(CURLOPT_HEADERFUNCTION, &Transfer::on_reply);
    set(CURLOPT_HEADERDATA, this);
    set(CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  }

  void set_message() {
    set(CURLOPT_MAIL_FROM, str_cat("<", request_.from, ">").c_str());
    set(CURLOPT_MAIL_RCPT, recipients_.get());
    set(CURLOPT_UPLOAD, 1L);
    set(CURLOPT_READFUNCTION, &Transfer::on_read);
    set(CURLOPT_READDATA, this);
    set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(rest_.size()));
  }

  absl::StatusOr<std::string> judge(CURLcode result) {
    long code = 0;
    curl_off_t microseconds = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &code);
    curl_easy_getinfo(easy_.get(), CURLINFO_TOTAL_TIME_T, &microseconds);
    if (result == CURLE_OK) {
      return str_cat("{\"message_id\":", json_quote(request_.message_id), ",\"recipients\":",
                     request_.to.size() + request_.cc.size() + request_.bcc.size(),
                     ",\"elapsed_ms\":", static_cast<std::int64_t>(microseconds / 1000), "}");
    }
    const std::string what =
        str_cat("smtp ", config_.server, ": ",
                error_[0] != '\0' ? error_.data() : curl_easy_strerror(result),
                reply_.empty() ? "" : str_cat("; the server said: ", utf8_preview(reply_, 300)));
    if (code >= 500) return absl::FailedPreconditionError(what);
    if (code >= 400) return absl::UnavailableError(what);
    return absl::Status(curl::code_of(result), what);
  }

  static std::size_t on_read(char* out, std::size_t size, std::size_t count, void* self) {
    std::string_view& rest = static_cast<Transfer*>(self)->rest_;
    const std::size_t bytes = std::min(size * count, rest.size());
    std::memcpy(out, rest.data(), bytes);
    rest.remove_prefix(bytes);
    return bytes;  // 0: that was all
  }
  // The last refusal: after it libcurl says goodbye, which is answered, too.
  static std::size_t on_reply(char* data, std::size_t size, std::size_t count, void* self) {
    std::string_view line(data, size * count);
    if (line.empty() || (line[0] != '4' && line[0] != '5')) return size * count;
    while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
    static_cast<Transfer*>(self)->reply_ = line.substr(0, 1000);
    return size * count;
  }
  static std::size_t on_body(char*, std::size_t size, std::size_t count, void*) {
    return size * count;
  }

  Link& link_;
  const Config& config_;
  const Request& request_;
  std::string_view rest_;  // of the message: what libcurl has not taken
  curl::List recipients_;
  std::string reply_;
  std::array<char, CURL_ERROR_SIZE> error_{};
  const std::unique_ptr<CURL, FreeEasy> easy_{
      curl_easy_init()};  // goes first: it points to all that
};

Link::Link(const Config& config) : config_(config), multi_(make_multi()) {}

// libcurl says goodbye to the server, and would wait for its answer: on a socket that is shut down
// it does not.
Link::~Link() { stop(); }

absl::StatusOr<std::string> Link::send(const Request& request, const std::string& message) {
  if (multi_ == nullptr) return absl::ResourceExhaustedError("smtp: no memory for a connection");
  Transfer transfer(*this, request, message);
  return transfer.run();
}

CURLcode Link::drive(CURL* easy) {
  if (curl_multi_add_handle(multi_.get(), easy) != CURLM_OK) return CURLE_FAILED_INIT;
  CURLcode result = CURLE_ABORTED_BY_CALLBACK;
  int running = 1;
  while (running > 0 && !stopped_.load()) {
    if (curl_multi_perform(multi_.get(), &running) != CURLM_OK) break;
    if (running > 0) curl_multi_poll(multi_.get(), nullptr, 0, kWaitMs, nullptr);
  }
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg == CURLMSG_DONE) result = message->data.result;
  }
  curl_multi_remove_handle(multi_.get(), easy);
  return result;
}

void Link::stop() noexcept {
  if (stopped_.exchange(true)) return;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const curl_socket_t fd : sockets_) ::shutdown(fd, SHUT_RDWR);
  }
  if (multi_ != nullptr) curl_multi_wakeup(multi_.get());
}

int Link::on_open(void* self, curl_socket_t fd, curlsocktype) {
  Link& link = *static_cast<Link*>(self);
  const std::lock_guard<std::mutex> lock(link.mutex_);
  link.sockets_.insert(fd);
  return link.stopped_.load() ? CURL_SOCKOPT_ERROR : CURL_SOCKOPT_OK;
}

int Link::on_close(void* self, curl_socket_t fd) {
  Link& link = *static_cast<Link*>(self);
  const std::lock_guard<std::mutex> lock(link.mutex_);
  link.sockets_.erase(fd);
  return ::close(fd);
}

}  // namespace fermata::smtp
