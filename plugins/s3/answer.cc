// What S3 answers, and what it means for a job.
#include "absl/strings/escaping.h"
#include "plugins/s3/exchange.h"
#include "services/config/json.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"

namespace fermata::s3 {
namespace {

// The text of <name>…</name>; S3's errors are flat and need no more of XML.
std::string_view element(std::string_view xml, std::string_view name) {
  const std::string open = str_cat("<", name, ">");
  const std::size_t begin = xml.find(open);
  if (begin == std::string_view::npos) return "";
  const std::string_view rest = xml.substr(begin + open.size());
  return rest.substr(0, rest.find('<'));
}

absl::StatusCode code_of(long status, std::string_view code) {
  // S3 says these with 400 and 403.
  if (code == "RequestTimeout" || code == "RequestTimeTooSkewed") {
    return absl::StatusCode::kUnavailable;
  }
  switch (status) {
    case 404:
      return absl::StatusCode::kNotFound;
    case 401:
    case 403:
      return absl::StatusCode::kPermissionDenied;
    case 409:
      return absl::StatusCode::kAborted;
    case 412:
      return absl::StatusCode::kAlreadyExists;  // If-None-Match
    case 408:
    case 429:
      return absl::StatusCode::kUnavailable;
    default:
      break;
  }
  if (status >= 500) return absl::StatusCode::kUnavailable;
  // A redirect: the bucket is in another region than the endpoint.
  if (status < 400) return absl::StatusCode::kFailedPrecondition;
  return absl::StatusCode::kInvalidArgument;
}

std::string text_or_null(std::string_view text) {
  return text.empty() ? "null" : json_quote(utf8_preview(text, text.size()));
}

}  // namespace

absl::Status verdict(const Request& request, const Answer& answer) {
  if (answer.status == 200) return absl::OkStatus();
  const std::string_view code = element(answer.body, "Code");
  const std::string_view message = element(answer.body, "Message");
  std::string text = str_cat("s3 ", request.put ? "put " : "get ", request.bucket, "/", request.key,
                             ": status ", answer.status, ", expected 200");
  if (!code.empty()) str_append(&text, ": ", utf8_preview(code, 60));
  if (!message.empty()) str_append(&text, ": ", utf8_preview(message, 200));
  return absl::Status(code_of(answer.status, code), text);
}

absl::StatusOr<std::string> render(const Request& request, const Answer& answer) {
  const std::size_t bytes = request.put ? request.content.size() : answer.body.size();
  std::string out =
      str_cat("{\"bucket\":", json_quote(request.bucket), ",\"key\":", json_quote(request.key),
              ",\"bytes\":", bytes, ",\"etag\":", text_or_null(answer.header("etag")),
              ",\"version_id\":", text_or_null(answer.header("x-amz-version-id")));
  if (!request.put) {
    str_append(&out, ",\"content_type\":", text_or_null(answer.header("content-type")),
               ",\"last_modified\":", text_or_null(answer.header("last-modified")));
    const bool text = request.form != Form::kBase64 && is_utf8(answer.body);
    if (!text && request.form == Form::kText) {
      return absl::InvalidArgumentError(
          str_cat("s3 get ", request.bucket, "/", request.key, ": not UTF-8 at byte ",
                  utf8_valid_prefix(answer.body), "; read it as base64"));
    }
    str_append(
        &out, text ? ",\"content\":" : ",\"content_base64\":",
        text ? json_quote(answer.body) : str_cat("\"", absl::Base64Escape(answer.body), "\""));
  }
  str_append(&out, ",\"elapsed_ms\":", answer.elapsed_ms, "}");
  return out;
}

}  // namespace fermata::s3
