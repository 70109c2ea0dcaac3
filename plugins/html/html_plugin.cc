// html: stages that read pages.
#include <memory>
#include <string>
#include <string_view>

#include "plugins/html/stages.h"
#include "plugins/sdk/sdk.h"

namespace fermata {
namespace {

// Below this, a page takes less than about a millisecond: the loop can spare that.
constexpr std::size_t kInlineBytes = 16 << 10;

constexpr char kConfigSchema[] = R"({
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "max_page_bytes": {"type": ["string", "integer"], "default": "8MiB"},
    "max_elements": {"type": "integer", "minimum": 1, "default": 100000},
    "max_answer_bytes": {"type": ["string", "integer"], "default": "16MiB"}
  }
})";

constexpr char kSelectInput[] = R"({
  "type": "object",
  "additionalProperties": false,
  "required": ["html", "xpath"],
  "properties": {
    "html": {
      "type": ["string", "array", "null"], "items": {"type": ["string", "null"]},
      "description": "a page, or many; null is a page that could not be had, and finds nothing"
    },
    "xpath": {"type": "string", "minLength": 1, "description": "XPath 1.0"},
    "attribute": {"type": "string", "description": "of each matched element, instead of its text"},
    "text": {
      "enum": ["collapse", "raw", "html"], "default": "collapse",
      "description": "text with white space collapsed, as it is, or the element as HTML"
    },
    "limit": {"type": "integer", "minimum": 1, "description": "at most this many per page"}
  }
})";

constexpr char kLinksInput[] = R"({
  "type": "object",
  "additionalProperties": false,
  "required": ["html"],
  "properties": {
    "html": {
      "type": ["string", "array", "null"], "items": {"type": ["string", "null"]},
      "description": "a page, or many; null is a page that could not be had, and has no links"
    },
    "base": {
      "type": ["string", "array", "null"], "items": {"type": ["string", "null"]},
      "description": "the page's own URL, or one for each page"
    },
    "xpath": {"type": "string", "minLength": 1, "default": "//a/@href | //area/@href"},
    "schemes": {
      "type": "array", "items": {"type": "string"}, "minItems": 1, "default": ["http", "https"]
    },
    "unique": {"type": "boolean", "default": true},
    "fragments": {"type": "boolean", "default": false, "description": "keep what follows #"},
    "same_host": {"type": "boolean", "default": false}
  }
})";

using Work = absl::StatusOr<std::string> (*)(std::string_view, const html::Limits&, html::Stop);

absl::StatusOr<std::string> work_for(Work work, const html::Limits* limits, const Call* call) {
  return work(call->input(), *limits, [call] { return call->cancelled(); });
}

Co<absl::StatusOr<std::string>> run_work(Work work, const html::Limits* limits, const Call* call) {
  if (call->input().size() <= kInlineBytes) co_return work_for(work, limits, call);
  absl::StatusOr<std::string> out = co_await offload(&work_for, work, limits, call);
  co_return out;
}

template <Work kWork>
class PageStage {
 public:
  static const StageSpec& spec();
  static absl::StatusOr<std::unique_ptr<PageStage>> create(Instance&, std::string_view config) {
    html::init_libxml2();
    absl::StatusOr<html::Limits> limits = html::read_limits(config);
    if (!limits.ok()) return limits.status();
    auto stage = std::make_unique<PageStage>();
    stage->limits_ = *limits;
    return stage;
  }
  Co<absl::StatusOr<std::string>> run(Call& call) { return run_work(kWork, &limits_, &call); }

 private:
  html::Limits limits_;
};

using Select = PageStage<&html::select>;
using Links = PageStage<&html::links>;

template <>
const StageSpec& Select::spec() {
  static const StageSpec spec = {"select", "what an XPath expression finds in pages", kConfigSchema,
                                 kSelectInput, FERMATA_STAGE_IDEMPOTENT};
  return spec;
}

template <>
const StageSpec& Links::spec() {
  static const StageSpec spec = {"links", "the absolute URLs that pages link to", kConfigSchema,
                                 kLinksInput, FERMATA_STAGE_IDEMPOTENT};
  return spec;
}

}  // namespace
}  // namespace fermata

FERMATA_PLUGIN("dev.fermata.html", "1.0.0", fermata::Select, fermata::Links);
