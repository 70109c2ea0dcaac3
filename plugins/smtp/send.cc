#include "plugins/smtp/send.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "plugins/curl/transfer.h"
#include "services/config/duration.h"
#include "services/config/json.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"

namespace fermata::smtp {
namespace {

constexpr long kConnectTimeoutMs = 10'000;
constexpr std::size_t kEncodedWordBytes = 45;  // in base64 and its frame: 72 characters of 75

// RFC 2047: what is not ASCII goes into headers as base64 words, none of which cuts a character.
std::string header_text(std::string_view text) {
  const bool plain =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  if (plain && text.find("=?") == std::string_view::npos) return std::string(text);
  std::string out;
  while (!text.empty()) {
    std::size_t size = std::min(text.size(), kEncodedWordBytes);
    if (size < text.size())
      size = std::max<std::size_t>(1, utf8_valid_prefix(text.substr(0, size)));
    str_append(&out, out.empty() ? "" : "\r\n ", "=?UTF-8?B?",
               absl::Base64Escape(for_absl(text.substr(0, size))), "?=");
    text.remove_prefix(size);
  }
  return out;
}

struct FreeMime {
  void operator()(curl_mime* mime) const { curl_mime_free(mime); }
};
using Mime = std::unique_ptr<curl_mime, FreeMime>;

class Transfer final : public curl::Transfer {
 public:
  Transfer(curl::Multi& multi, const Config& config, const Request& request)
      : curl::Transfer(multi), config_(config), request_(request) {}
  ~Transfer() override { leave(); }

  absl::Status start() {
    absl::Status status = prepare();
    if (status.ok()) status = set_envelope();
    if (status.ok()) status = set_headers();
    if (status.ok()) status = set_body();
    if (!status.ok()) return status;
    set_connection();
    return begin();
  }

  absl::StatusOr<std::string> take() {
    if (result() == CURLE_OK) {
      return str_cat("{\"message_id\":", json_quote(request_.message_id), ",\"recipients\":",
                     request_.to.size() + request_.cc.size() + request_.bcc.size(),
                     ",\"elapsed_ms\":", elapsed_ms_, "}");
    }
    const std::string what =
        str_cat("smtp ", config_.server, ": ", detail(result()),
                reply_.empty() ? "" : str_cat("; the server said: ", utf8_preview(reply_, 300)));
    if (code_ >= 500) return absl::FailedPreconditionError(what);
    if (code_ >= 400) return absl::UnavailableError(what);
    return absl::Status(curl::code_of(result()), what);
  }

 private:
  void set_connection() {
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
    set(CURLOPT_HEADERFUNCTION, &Transfer::on_reply);
    set(CURLOPT_HEADERDATA, this);
    set(CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  }

  absl::Status set_envelope() {
    set(CURLOPT_MAIL_FROM, str_cat("<", request_.from, ">").c_str());
    for (const auto* list : {&request_.to, &request_.cc, &request_.bcc}) {
      for (const std::string& address : *list) {
        const absl::Status added = add_line(recipients_, str_cat("<", address, ">"));
        if (!added.ok()) return added;
      }
    }
    set(CURLOPT_MAIL_RCPT, recipients_.get());
    return absl::OkStatus();
  }

  // Bcc is in the envelope only: that is what makes it blind.
  absl::Status set_headers() {
    std::vector<std::string> lines = {
        str_cat("Date: ",
                absl::FormatTime("%a, %d %b %Y %H:%M:%S +0000", now(), absl::UTCTimeZone())),
        str_cat("From: ", request_.from_name.empty()
                              ? request_.from
                              : str_cat(quoted_name(request_.from_name), " <", request_.from, ">")),
        str_cat("Subject: ", header_text(request_.subject)),
        str_cat("Message-ID: ", request_.message_id)};
    // Each on a line of its own: a header's line has at most 998 bytes.
    if (!request_.to.empty())
      lines.push_back(str_cat("To: ", absl::StrJoin(request_.to, ",\r\n ")));
    if (!request_.cc.empty())
      lines.push_back(str_cat("Cc: ", absl::StrJoin(request_.cc, ",\r\n ")));
    if (!request_.reply_to.empty()) lines.push_back(str_cat("Reply-To: ", request_.reply_to));
    for (const std::string& line : lines) {
      const absl::Status added = add_line(headers_, line);
      if (!added.ok()) return added;
    }
    set(CURLOPT_HTTPHEADER, headers_.get());
    return absl::OkStatus();
  }

  static std::string quoted_name(const std::string& name) {
    const std::string text = header_text(name);
    if (text.starts_with("=?")) return text;
    return str_cat("\"", absl::CEscape(name), "\"");
  }

  static void fill(curl_mimepart* part, const std::string& data, const char* type) {
    curl_mime_data(part, data.data(), data.size());
    curl_mime_type(part, type);
    curl_mime_encoder(part, "base64");
  }

  absl::Status set_body() {
    body_.reset(curl_mime_init(easy()));
    if (body_ == nullptr) return absl::ResourceExhaustedError("smtp: no memory for a message");
    curl_mime* texts = body_.get();
    if (!request_.html.empty() && !request_.attachments.empty()) {
      texts = curl_mime_init(easy());
      curl_mimepart* part = curl_mime_addpart(body_.get());
      curl_mime_subparts(part, texts);
      curl_mime_type(part, "multipart/alternative");
    }
    if (!request_.text.empty() || request_.html.empty()) {
      fill(curl_mime_addpart(texts), request_.text, "text/plain; charset=utf-8");
    }
    if (!request_.html.empty()) {
      fill(curl_mime_addpart(texts), request_.html, "text/html; charset=utf-8");
    }
    for (const Attachment& attachment : request_.attachments) {
      curl_mimepart* part = curl_mime_addpart(body_.get());
      fill(part, attachment.content, attachment.type.c_str());
      curl_mime_filename(part, attachment.name.c_str());
    }
    if (!request_.html.empty() && request_.attachments.empty()) {
      const absl::Status added = add_line(headers_, "Content-Type: multipart/alternative");
      if (!added.ok()) return added;
    }
    set(CURLOPT_MIMEPOST, body_.get());
    return absl::OkStatus();
  }

  void on_end() override {
    curl_off_t microseconds = 0;
    curl_easy_getinfo(easy(), CURLINFO_RESPONSE_CODE, &code_);
    curl_easy_getinfo(easy(), CURLINFO_TOTAL_TIME_T, &microseconds);
    elapsed_ms_ = microseconds / 1000;
  }

  // The server's last line, for messages.
  static std::size_t on_reply(char* data, std::size_t size, std::size_t count, void* self) {
    static_cast<Transfer*>(self)->reply_.assign(data, std::min<std::size_t>(size * count, 1000));
    return size * count;
  }
  static std::size_t on_body(char*, std::size_t size, std::size_t count, void*) {
    return size * count;
  }

  const Config& config_;
  const Request& request_;
  curl::List recipients_;
  curl::List headers_;
  Mime body_;
  std::string reply_;
  long code_ = 0;
  std::int64_t elapsed_ms_ = 0;
};

}  // namespace

Co<absl::StatusOr<std::string>> send(curl::Multi& multi, const Config& config,
                                     const Request& request) {
  Transfer transfer(multi, config, request);
  const absl::Status started = transfer.start();
  if (!started.ok()) co_return started;
  const absl::Status in_time = co_await timeout(request.timeout, transfer.done().wait());
  if (in_time.ok()) co_return transfer.take();
  co_return absl::UnavailableError(str_cat("smtp ", config.server, ": not done after ",
                                           format_duration(request.timeout), " (timeout)"));
}

}  // namespace fermata::smtp
