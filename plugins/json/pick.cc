#include <optional>

#include "absl/strings/str_cat.h"
#include "plugins/json/json_stages.h"
#include "plugins/sdk/fields.h"
#include "rapidjson/pointer.h"

namespace fermata::json {
namespace {

// The part of the pointer that could not be followed, for the message.
std::string step_text(const rapidjson::Pointer& pointer, std::size_t index) {
  if (index >= pointer.GetTokenCount()) return "";
  const rapidjson::Pointer::Token& token = pointer.GetTokens()[index];
  return std::string(token.name, token.length);
}

absl::Status append_picked(const JsonValue& value, std::string_view text,
                           const JsonValue* otherwise, std::string* out) {
  const rapidjson::Pointer pointer(text.data(), text.size());
  if (!pointer.IsValid()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "pointer '", std::string(text), "': expected '' or /name/0/..., with ~ and / ",
        "in names written as ~0 and ~1; it is wrong at offset ", pointer.GetParseErrorOffset()));
  }
  std::size_t unresolved = 0;
  const JsonValue* found = pointer.Get(value, &unresolved);
  if (found == nullptr) found = otherwise;
  if (found == nullptr) {
    return absl::NotFoundError(absl::StrCat("pointer '", std::string(text), "': there is no '",
                                            step_text(pointer, unresolved),
                                            "'; give `default` if it may be absent"));
  }
  append_json(*found, out);
  return absl::OkStatus();
}

absl::Status append_object(const JsonValue& value, const JsonValue& pointers,
                           const JsonValue* otherwise, std::string* out) {
  bool first = true;
  *out += "{";
  for (const auto& member : pointers.GetObject()) {
    const std::string_view name = as_string_view(member.name);
    if (!member.value.IsString()) {
      return absl::InvalidArgumentError(absl::StrCat("pointers: expected a string for '",
                                                     std::string(name), "', got ",
                                                     json_preview(member.value)));
    }
    if (!first) *out += ",";
    first = false;
    *out += json_quote(name) + ":";
    const absl::Status status = append_picked(value, as_string_view(member.value), otherwise, out);
    if (!status.ok()) return status;
  }
  *out += "}";
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> pick(std::string_view input) {
  const absl::StatusOr<JsonDocument> document = parse_json(input);
  if (!document.ok()) return document.status();
  Fields fields(*document);
  const JsonValue* value = fields.any("value");
  const JsonValue* pointer = fields.any("pointer");
  const JsonValue* pointers = fields.any("pointers");
  if (value == nullptr) fields.complain("value", "missing; it is what to pick from");
  if ((pointer == nullptr) == (pointers == nullptr)) {
    fields.complain("pointer", "give either `pointer` or `pointers`");
  }
  if (pointers != nullptr && !pointers->IsObject()) {
    fields.complain("pointers", "expected an object of pointers");
  }
  const std::string text = fields.text("pointer");
  if (!fields.status().ok()) return fields.status();

  std::string out;
  const JsonValue* otherwise = fields.any("default");
  const absl::Status status = pointers != nullptr
                                  ? append_object(*value, *pointers, otherwise, &out)
                                  : append_picked(*value, text, otherwise, &out);
  if (!status.ok()) return status;
  return out;
}

}  // namespace fermata::json
