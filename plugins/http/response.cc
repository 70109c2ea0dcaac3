#include "plugins/http/response.h"

#include "absl/strings/escaping.h"
#include "plugins/http/text.h"
#include "services/config/json.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"

namespace fermata::http {
namespace {

constexpr std::size_t kPreviewBytes = 200;

absl::StatusCode code_of(long status) {
  switch (status) {
    case 401:
      return absl::StatusCode::kUnauthenticated;
    case 403:
      return absl::StatusCode::kPermissionDenied;
    case 404:
    case 410:
      return absl::StatusCode::kNotFound;
    case 408:
    case 425:
      return absl::StatusCode::kAborted;
    case 429:
      return absl::StatusCode::kResourceExhausted;
    default:
      return status >= 500 ? absl::StatusCode::kUnavailable : absl::StatusCode::kFailedPrecondition;
  }
}

std::string_view phrase(long status) {
  switch (status) {
    case 400:
      return " Bad Request";
    case 401:
      return " Unauthorized";
    case 403:
      return " Forbidden";
    case 404:
      return " Not Found";
    case 405:
      return " Method Not Allowed";
    case 408:
      return " Request Timeout";
    case 409:
      return " Conflict";
    case 410:
      return " Gone";
    case 413:
      return " Content Too Large";
    case 422:
      return " Unprocessable Content";
    case 425:
      return " Too Early";
    case 429:
      return " Too Many Requests";
    case 500:
      return " Internal Server Error";
    case 502:
      return " Bad Gateway";
    case 503:
      return " Service Unavailable";
    case 504:
      return " Gateway Timeout";
    default:
      return "";
  }
}

// Nothing said and nothing that text does not have.
bool looks_like_text(const MediaType& media, std::string_view body) {
  if (is_text_type(media.type)) return true;
  return media.type.empty() && body.find('\0') == std::string_view::npos && is_utf8(body);
}

// A header that comes twice means a list (RFC 9110 5.3), except Set-Cookie, whose values have
// commas in them and are kept apart by line breaks.
void append_headers(const Response& response, std::string* out) {
  *out += "{";
  for (std::size_t i = 0; i < response.headers.size(); ++i) {
    const auto& [name, value] = response.headers[i];
    bool repeated = false;
    for (std::size_t j = 0; j < i && !repeated; ++j) repeated = response.headers[j].first == name;
    if (repeated) continue;
    std::string joined = value;
    for (std::size_t j = i + 1; j < response.headers.size(); ++j) {
      if (response.headers[j].first != name) continue;
      str_append(&joined, name == "set-cookie" ? "\n" : ", ", response.headers[j].second);
    }
    if (i > 0) *out += ",";
    // Headers are bytes; those of the web are ASCII, and the rest must not break the JSON.
    str_append(out, json_quote(replace_broken_utf8(name)), ":",
               json_quote(replace_broken_utf8(joined)));
  }
  *out += "}";
}

void append_body(Response& response, BodyForm form, std::string* out) {
  if (form == BodyForm::kNone) return;
  const MediaType media = parse_content_type(response.header("content-type"));
  const bool text =
      form == BodyForm::kText || (form == BodyForm::kAuto && looks_like_text(media, response.body));
  if (!text) {
    str_append(out, ",\"body_base64\":\"", absl::Base64Escape(response.body), "\"");
    return;
  }
  const Text read = to_text(std::move(response.body), media);
  str_append(out, ",\"charset\":", json_quote(replace_broken_utf8(read.charset)), ",\"body\":\"");
  append_json_escaped(read.utf8, out);
  *out += "\"";
}

}  // namespace

std::string_view Response::header(std::string_view name) const {
  for (const auto& header : headers) {
    if (header.first == name) return header.second;
  }
  return {};
}

absl::Status verdict(const Request& request, const Response& response) {
  if (response.status < 400 || request.expect_any) return absl::OkStatus();
  std::string message = str_cat(request.method, " ", shown_url(response.url), ": ", response.status,
                                phrase(response.status));
  const MediaType media = parse_content_type(response.header("content-type"));
  if (is_text_type(media.type) && media.type != "text/html" && !response.body.empty()) {
    str_append(&message, ": ", utf8_preview(response.body, kPreviewBytes));
  }
  return absl::Status(code_of(response.status), message);
}

std::string render(Response response, BodyForm form) {
  std::string out;
  out.reserve(response.body.size() + response.body.size() / 8 + 512);
  str_append(&out, "{\"status\":", response.status,
             ",\"url\":", json_quote(replace_broken_utf8(response.url)), ",\"headers\":");
  append_headers(response, &out);
  str_append(&out, ",\"bytes\":", response.body.size(), ",\"redirects\":", response.redirects,
             ",\"elapsed_ms\":", response.elapsed_ms);
  append_body(response, form, &out);
  out += "}";
  return out;
}

}  // namespace fermata::http
