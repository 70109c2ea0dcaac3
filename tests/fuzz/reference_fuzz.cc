// A template with references, then a line break, then the value it is evaluated against: as text
// and as a value it gives the same thing, within the limit it was given.
#include <string>
#include <vector>

#include "services/config/json.h"
#include "services/pipeline/template.h"
#include "tests/fuzz/fuzz.h"

using namespace fermata;

namespace {
constexpr size_t kMaxText = 1 << 16;
constexpr JsonLimits kLimits{.bytes = kMaxText, .depth = 300};
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const fuzz::Halves halves = fuzz::split(fuzz::text_of(data, size), '\n');
  const absl::StatusOr<JsonDocument> source = parse_json(halves.first, kLimits);
  const absl::StatusOr<JsonDocument> value = parse_json(halves.second, kLimits);
  if (!source.ok() || !value.ok()) return 0;

  const std::vector<std::string> stages = {"fetch", "a/b~c"};
  ReferenceScope scope;
  scope.stages = stages;
  scope.item = true;
  TemplateError error;
  const absl::StatusOr<Template> parsed = Template::parse(*source, scope, &error);
  if (!parsed.ok()) {
    FUZZ_CHECK(!error.message.empty());
    FUZZ_CHECK(fuzz::readable(parsed.status()));
    return 0;
  }
  const std::vector<const JsonValue*> outputs = {&*value, nullptr};
  EvalContext context;
  context.input = &*value;
  context.item = &*value;
  context.index = 3;
  context.outputs = outputs;

  const absl::StatusOr<std::string> text = parsed->evaluate_json(context, kMaxText);
  JsonDocument holder;
  const absl::StatusOr<JsonValue> direct =
      parsed->evaluate(context, holder.GetAllocator(), kMaxText);
  FUZZ_CHECK(text.ok() == direct.ok());
  if (!text.ok()) return 0;
  const absl::StatusOr<JsonDocument> read = parse_json(*text, {.bytes = kMaxText, .depth = 1000});
  FUZZ_CHECK(read.ok());
  FUZZ_CHECK(to_json(*read) == to_json(*direct));
  for (const Template::Use& use : parsed->uses()) (void)use.reference.truthy(context);
  return 0;
}
