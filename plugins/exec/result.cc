#include <signal.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "plugins/exec/run.h"
#include "services/config/json.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"

namespace fermata::exec {
namespace {

constexpr std::size_t kShownBytes = 400;

// The end of what it wrote to stderr, where programs say what went wrong.
std::string last_words(const Output& errors) {
  const std::string_view all(errors.bytes);
  const std::string_view tail = all.substr(all.size() - std::min(all.size(), kShownBytes));
  std::string text = utf8_preview(tail, kShownBytes);
  absl::StripAsciiWhitespace(&text);
  return text.empty() ? "" : str_cat("; stderr ends: ", text);
}

// A character that the limit has cut in two is left out.
std::string_view whole_characters(const Output& output) {
  const std::string_view bytes(output.bytes);
  if (!output.truncated()) return bytes;
  const std::size_t valid = utf8_valid_prefix(bytes);
  return bytes.size() - valid < 4 ? bytes.substr(0, valid) : bytes;
}

void append_output(std::string* out, std::string_view name, const Output& output, bool base64) {
  const std::string_view text = whole_characters(output);
  if (base64 || !is_utf8(text)) {
    str_append(out, "\"", name, "_base64\":\"", absl::Base64Escape(output.bytes), "\",");
  } else {
    str_append(out, "\"", name, "\":", json_quote(text), ",");
  }
  str_append(out, "\"", name, "_bytes\":", output.total, ",\"", name,
             "_truncated\":", output.truncated() ? "true" : "false", ",");
}

}  // namespace

absl::Status verdict(const Request& request, const Result& result) {
  if (request.expect_any || result.ended.ok()) return absl::OkStatus();
  const std::string what = str_cat("exec ", request.command, ": ", result.ended.to_string(),
                                   ", expected exit code 0", last_words(result.errors));
  if (result.ended.signal() != 0) return absl::AbortedError(what);
  const auto& codes = request.retry_codes;
  const bool retry = std::find(codes.begin(), codes.end(), result.ended.code()) != codes.end();
  return retry ? absl::AbortedError(what) : absl::FailedPreconditionError(what);
}

std::string render(const Result& result, bool base64) {
  std::string out = "{";
  const int signal = result.ended.signal();
  str_append(&out, "\"exit_code\":", signal != 0 ? "null" : str_cat(result.ended.code()),
             ",\"signal\":", signal == 0 ? "null" : str_cat(signal), ",");
  append_output(&out, "stdout", result.output, base64);
  append_output(&out, "stderr", result.errors, base64);
  str_append(&out, "\"elapsed_ms\":", result.elapsed_ms, "}");
  return out;
}

}  // namespace fermata::exec
