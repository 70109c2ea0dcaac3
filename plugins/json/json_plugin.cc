// json: stages that take values apart and put them together.
#include <memory>
#include <string>
#include <string_view>

#include "plugins/json/json_stages.h"
#include "plugins/sdk/sdk.h"

namespace fermata {
namespace {

// Below this, a trip to another thread and back costs more than the work.
constexpr std::size_t kInlineBytes = 64 << 10;

constexpr char kConfigSchema[] = R"({"type":"object","additionalProperties":false})";

constexpr char kPickInput[] = R"({
  "type": "object",
  "additionalProperties": false,
  "required": ["value"],
  "properties": {
    "value": {"description": "what to pick from"},
    "pointer": {"type": "string", "description": "a JSON Pointer: /items/0/name"},
    "pointers": {
      "type": "object", "additionalProperties": {"type": "string"},
      "description": "several at once: the result is an object with the same names"
    },
    "default": {"description": "what stands in for something that is not there"}
  },
  "oneOf": [{"required": ["pointer"]}, {"required": ["pointers"]}]
})";

constexpr char kMergeInput[] = R"({
  "type": "object",
  "additionalProperties": false,
  "required": ["values"],
  "properties": {
    "values": {
      "type": "array", "minItems": 1,
      "description": "merged from left to right: members replace, null removes, as in RFC 7386"
}
}
})";

using Work = absl::StatusOr<std::string> (*)(std::string_view);

Co<absl::StatusOr<std::string>> run_work(Work work, std::string_view input) {
  if (input.size() <= kInlineBytes) co_return work(input);
  absl::StatusOr<std::string> out = co_await offload(work, input);
  co_return out;
}

class Pick {
 public:
  static const StageSpec& spec() {
    static const StageSpec spec = {"pick", "what JSON Pointers find in a value", kConfigSchema,
                                   kPickInput, FERMATA_STAGE_IDEMPOTENT};
    return spec;
  }
  static absl::StatusOr<std::unique_ptr<Pick>> create(Instance&, std::string_view) {
    return std::make_unique<Pick>();
  }
  Co<absl::StatusOr<std::string>> run(Call& call) { return run_work(&json::pick, call.input()); }
};

class Merge {
 public:
  static const StageSpec& spec() {
    static const StageSpec spec = {"merge", "several values merged into one", kConfigSchema,
                                   kMergeInput, FERMATA_STAGE_IDEMPOTENT};
    return spec;
  }
  static absl::StatusOr<std::unique_ptr<Merge>> create(Instance&, std::string_view) {
    return std::make_unique<Merge>();
  }
  Co<absl::StatusOr<std::string>> run(Call& call) { return run_work(&json::merge, call.input()); }
};

}  // namespace
}  // namespace fermata

FERMATA_PLUGIN("dev.fermata.json", "1.0.0", fermata::Pick, fermata::Merge);
