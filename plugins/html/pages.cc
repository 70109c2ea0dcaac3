#include "plugins/html/pages.h"

#include "absl/strings/str_cat.h"

namespace fermata::html {
namespace {

absl::Status one_page(
    const JsonValue& page, std::size_t index, std::string* out,
    absl::FunctionRef<absl::Status(std::string_view, std::size_t, std::string*)> one) {
  if (page.IsNull()) {
    *out += "[]";
    return absl::OkStatus();
  }
  if (page.IsString()) return one(as_string_view(page), index, out);
  return absl::InvalidArgumentError(
      absl::StrCat("html: expected a page as a string, or null, got ", json_preview(page)));
}

}  // namespace

absl::Status for_each_page(
    const JsonValue& html, std::string* out,
    absl::FunctionRef<absl::Status(std::string_view, std::size_t, std::string*)> one) {
  if (!html.IsArray()) return one_page(html, 0, out, one);
  *out += "[";
  for (rapidjson::SizeType i = 0; i < html.Size(); ++i) {
    if (i > 0) *out += ",";
    const absl::Status status = one_page(html[i], i, out, one);
    if (!status.ok()) {
      return absl::Status(status.code(), absl::StrCat("page ", i, ": ", status.message()));
    }
  }
  *out += "]";
  return absl::OkStatus();
}

}  // namespace fermata::html
