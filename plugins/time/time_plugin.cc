// time: stages that wait.
#include <memory>
#include <string>
#include <string_view>

#include "plugins/sdk/fields.h"
#include "plugins/sdk/sdk.h"

namespace fermata {
namespace {

constexpr char kConfigSchema[] = R"({"type":"object","additionalProperties":false})";

constexpr char kDelayInput[] = R"({
  "type": "object",
  "additionalProperties": false,
  "required": ["for"],
  "properties": {
    "for": {"type": "string", "minLength": 1, "description": "how long: 10ms, 5s, 1m30s"},
    "value": {"description": "what comes out afterwards; null without it"}
  }
})";

class Delay {
 public:
  static const StageSpec& spec() {
    static const StageSpec spec = {"delay", "wait, then give a value on", kConfigSchema,
                                   kDelayInput, FERMATA_STAGE_IDEMPOTENT};
    return spec;
  }
  static absl::StatusOr<std::unique_ptr<Delay>> create(Instance&, std::string_view) {
    return std::make_unique<Delay>();
  }

  Co<absl::StatusOr<std::string>> run(Call& call) {
    const absl::StatusOr<JsonDocument> input = parse_json(call.input());
    if (!input.ok()) co_return input.status();
    Fields fields(*input);
    const absl::Duration duration = fields.duration("for", absl::ZeroDuration());
    if (!fields.status().ok()) co_return fields.status();
    co_await sleep(duration);
    const JsonValue* value = fields.any("value");
    if (value == nullptr) co_return std::string("null");
    co_return to_json(*value);
  }
};

}  // namespace
}  // namespace fermata

FERMATA_PLUGIN("dev.fermata.time", "1.0.0", fermata::Delay);
