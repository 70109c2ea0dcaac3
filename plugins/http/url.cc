#include "plugins/http/url.h"

#include <curl/curl.h>

#include <memory>

#include "plugins/http/options.h"
#include "services/config/str_cat.h"

namespace fermata::http {
namespace {

struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using UrlHandle = std::unique_ptr<CURLU, FreeUrl>;

absl::Status wrong(std::string_view text, std::string_view why) {
  return absl::InvalidArgumentError(str_cat("url '", shown_url(text), "': ", why,
                                            "; expected http://host/path or https://host/path"));
}

// Empty when the part is absent.
std::string part(CURLU* url, CURLUPart what) {
  char* text = nullptr;
  if (curl_url_get(url, what, &text, 0) != CURLUE_OK || text == nullptr) return "";
  std::string out(text);
  curl_free(text);
  return out;
}

absl::Status add_value(CURLU* url, std::string_view name, const JsonValue& value) {
  std::string text = value.IsString() ? std::string(as_string_view(value)) : to_json(value);
  if (value.IsObject() || value.IsArray() || value.IsNull()) {
    return absl::InvalidArgumentError(str_cat("query: expected text, a number or a boolean for '",
                                              name, "', got ", json_preview(value)));
  }
  const std::string pair = str_cat(name, "=", text);
  // URLENCODE leaves the first '=' of the pair alone, so a name must not have one.
  if (name.empty() || name.find('=') != std::string_view::npos ||
      pair.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError(
        str_cat("query: '", name, "' cannot be the name of a parameter"));
  }
  const CURLUcode code =
      curl_url_set(url, CURLUPART_QUERY, pair.c_str(), CURLU_APPENDQUERY | CURLU_URLENCODE);
  if (code == CURLUE_OK) return absl::OkStatus();
  return absl::InvalidArgumentError(str_cat("query: '", name, "': ", curl_url_strerror(code)));
}

absl::Status add_query(CURLU* url, const JsonValue& query) {
  if (!query.IsObject()) {
    return absl::InvalidArgumentError(
        str_cat("query: expected an object, got ", json_preview(query)));
  }
  for (const auto& member : query.GetObject()) {
    const std::string_view name = as_string_view(member.name);
    if (!member.value.IsArray()) {
      const absl::Status status = add_value(url, name, member.value);
      if (!status.ok()) return status;
      continue;
    }
    for (const JsonValue& item : member.value.GetArray()) {
      const absl::Status status = add_value(url, name, item);
      if (!status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> make_url(const std::string& text, const JsonValue* query) {
  if (text.find('\0') != std::string::npos) return wrong(text, "it has a NUL character inside");
  const UrlHandle url(curl_url());
  if (url == nullptr) return absl::ResourceExhaustedError("url: no memory");
  const CURLUcode code = curl_url_set(url.get(), CURLUPART_URL, text.c_str(), CURLU_URLENCODE);
  if (code != CURLUE_OK) return wrong(text, curl_url_strerror(code));
  const std::string scheme = part(url.get(), CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") {
    return wrong(text, str_cat("the scheme is '", scheme, "'"));
  }
  if (!part(url.get(), CURLUPART_USER).empty() || !part(url.get(), CURLUPART_PASSWORD).empty()) {
    return absl::InvalidArgumentError(
        "url: it has a user or a password; send them in the header Authorization instead");
  }
  if (query != nullptr && !query->IsNull()) {
    const absl::Status status = add_query(url.get(), *query);
    if (!status.ok()) return status;
  }
  curl_url_set(url.get(), CURLUPART_FRAGMENT, nullptr, 0);
  return part(url.get(), CURLUPART_URL);
}

}  // namespace fermata::http
