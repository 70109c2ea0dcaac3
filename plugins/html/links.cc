#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "plugins/html/pages.h"
#include "plugins/html/stages.h"
#include "plugins/html/url.h"
#include "plugins/sdk/fields.h"

namespace fermata::html {
namespace {

constexpr std::string_view kLinks = "//a/@href | //area/@href";

struct LinkOptions {
  Question question;
  std::vector<std::string> schemes;
  bool unique = true;
  bool fragments = false;
  bool same_host = false;
  const JsonValue* base = nullptr;
};

LinkOptions read_options(Fields& fields) {
  LinkOptions options;
  options.question.xpath = fields.text("xpath", kLinks);
  options.question.form = Form::kRaw;
  options.schemes = fields.texts("schemes");
  if (options.schemes.empty()) options.schemes = {"http", "https"};
  options.unique = fields.flag("unique", true);
  options.fragments = fields.flag("fragments", false);
  options.same_host = fields.flag("same_host", false);
  options.base = fields.any("base");
  return options;
}

// The page's own address: `base`, or its item at the page's index. Empty when there is none.
std::string_view base_text(const JsonValue* base, std::size_t index) {
  if (base == nullptr) return "";
  if (base->IsString()) return as_string_view(*base);
  if (!base->IsArray() || index >= base->Size()) return "";
  const JsonValue& item = (*base)[static_cast<rapidjson::SizeType>(index)];
  return item.IsString() ? as_string_view(item) : "";
}

absl::Status check_base(const JsonValue* base, const JsonValue& html) {
  if (base == nullptr || base->IsNull() || base->IsString()) return absl::OkStatus();
  if (!base->IsArray() || !html.IsArray()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "base: expected a URL, or one for each page of html, got ", json_preview(*base)));
  }
  if (base->Size() == html.Size()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("base: ", base->Size(), " URLs for ", html.Size(),
                                                 " pages; give one for each, or one for all"));
}

bool wanted(const Url& link, const Url& base, const LinkOptions& options) {
  if (link.scheme.empty()) return false;  // relative, and the page has no address
  if (std::find(options.schemes.begin(), options.schemes.end(), link.scheme) ==
      options.schemes.end()) {
    return false;
  }
  return !options.same_host || link.host() == base.host();
}

void append_links(const std::vector<Answer>& found, const Url& page, const Url& base,
                  const LinkOptions& options, std::string* out) {
  absl::flat_hash_set<std::string> seen;
  bool first = true;
  *out += "[";
  for (const Answer& answer : found) {
    const auto* href = std::get_if<std::string>(&answer);
    if (href == nullptr) continue;
    Url link = base.scheme.empty() ? parse_url(*href) : resolve(base, parse_url(*href));
    if (!wanted(link, page, options)) continue;
    if (!options.fragments) link.fragment.reset();
    std::string text = link.text();
    if (!first && options.unique && seen.contains(text)) continue;
    if (!std::exchange(first, false)) *out += ",";
    *out += json_quote(text);
    if (options.unique) seen.insert(std::move(text));
  }
  *out += "]";
}

}  // namespace

absl::StatusOr<std::string> links(std::string_view input, const Limits& limits, Stop stop) {
  const absl::StatusOr<JsonDocument> document = parse_json(input);
  if (!document.ok()) return document.status();
  Fields fields(*document);
  const LinkOptions options = read_options(fields);
  const JsonValue* html = fields.any("html");
  if (html == nullptr) fields.complain("html", "missing; it is the page, or an array of pages");
  if (!fields.status().ok()) return fields.status();
  const absl::Status base_status = check_base(options.base, *html);
  if (!base_status.ok()) return base_status;

  std::string out;
  const auto one = [&](std::string_view text, std::size_t index, std::string* to) -> absl::Status {
    const absl::StatusOr<Document> parsed = Document::parse(text, limits, stop);
    if (!parsed.ok()) return parsed.status();
    const absl::StatusOr<std::vector<Answer>> found = parsed->ask(options.question);
    if (!found.ok()) return found.status();
    const Url page = parse_url(base_text(options.base, index));
    // <base href> moves what relative links start from, not which host the page came from.
    const Url moved = parse_url(parsed->base_href());
    const Url base = page.scheme.empty() ? moved : resolve(page, moved);
    append_links(*found, page.scheme.empty() ? moved : page, base, options, to);
    return absl::OkStatus();
  };
  const absl::Status status = for_each_page(*html, &out, one);
  if (!status.ok()) return status;
  return out;
}

}  // namespace fermata::html
