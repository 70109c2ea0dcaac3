#include "services/engine/stage_output.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"

namespace fermata {
namespace {

constexpr size_t kMessageMax = 4096;

std::string error_json(const CallResult& result) {
  const std::string code = absl::StatusCodeToString(result.status.code());
  const std::string_view message(result.status.message().data(), result.status.message().size());
  return str_cat("{\"error\":{\"code\":", json_quote(code),
                 ",\"message\":", json_quote(utf8_preview(message, kMessageMax)),
                 ",\"attempts\":", result.attempts, "}}");
}

}  // namespace

StageOutput StageOutput::of_one(CallResult result) {
  StageOutput output;
  output.text = std::make_shared<const std::string>(result.output.view());
  if (result.value.has_value()) output.value = *std::move(result.value);
  return output;
}

absl::StatusOr<StageOutput> StageOutput::of_many(std::vector<CallResult> results, bool wants_value,
                                                 size_t bytes_max) {
  size_t bytes = results.empty() ? 2 : 1;  // brackets, and a comma between two
  for (CallResult& result : results) {
    if (!result.status.ok()) {
      std::string error = error_json(result);
      if (wants_value) result.value = *parse_json(error);
      result.output = Buffer(std::move(error));
    }
    bytes += result.output.size() + 1;
  }
  if (bytes > bytes_max) {
    return absl::ResourceExhaustedError(str_cat("the outputs of ", results.size(), " calls have ",
                                                bytes, " bytes together, more than the limit of ",
                                                bytes_max,
                                                "; let each return less, or a reference to it"));
  }
  auto text = std::make_shared<std::string>();
  text->reserve(bytes);
  text->push_back('[');
  for (const CallResult& result : results) {
    if (text->size() > 1) text->push_back(',');
    text->append(result.output.view());
  }
  text->push_back(']');

  StageOutput output;
  output.text = std::move(text);
  if (!wants_value) return output;
  JsonAllocator& allocator = output.value.GetAllocator();
  output.value.SetArray();
  output.value.Reserve(static_cast<rapidjson::SizeType>(results.size()), allocator);
  output.parts.reserve(results.size());
  for (CallResult& result : results) {
    JsonDocument& part = output.parts.emplace_back(*std::move(result.value));
    output.value.PushBack(static_cast<JsonValue&>(part), allocator);
  }
  return output;
}

}  // namespace fermata
