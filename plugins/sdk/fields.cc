#include "plugins/sdk/fields.h"

#include "absl/strings/str_cat.h"
#include "services/config/bytes.h"
#include "services/config/duration.h"

namespace fermata {

Fields::Fields(const JsonValue& object) : object_(object) {
  if (!object.IsObject()) wrong_type("the value", "an object", object);
}

const JsonValue* Fields::any(std::string_view name) const { return find_member(object_, name); }

const JsonValue* Fields::present(std::string_view name) const {
  const JsonValue* value = any(name);
  return value == nullptr || value->IsNull() ? nullptr : value;
}

void Fields::complain(std::string_view name, std::string_view what) {
  if (!status_.ok()) return;
  status_ = absl::InvalidArgumentError(absl::StrCat(std::string(name), ": ", std::string(what)));
}

void Fields::wrong_type(std::string_view name, std::string_view expected, const JsonValue& got) {
  complain(name, absl::StrCat("expected ", std::string(expected), ", got ", json_preview(got)));
}

std::string Fields::text(std::string_view name, std::string_view otherwise) {
  const JsonValue* value = present(name);
  if (value != nullptr && value->IsString()) return std::string(as_string_view(*value));
  if (value != nullptr) wrong_type(name, "a string", *value);
  return std::string(otherwise);
}

std::int64_t Fields::integer(std::string_view name, std::int64_t otherwise) {
  const JsonValue* value = present(name);
  if (value != nullptr && value->IsInt64()) return value->GetInt64();
  if (value != nullptr) wrong_type(name, "an integer", *value);
  return otherwise;
}

bool Fields::flag(std::string_view name, bool otherwise) {
  const JsonValue* value = present(name);
  if (value != nullptr && value->IsBool()) return value->GetBool();
  if (value != nullptr) wrong_type(name, "true or false", *value);
  return otherwise;
}

absl::Duration Fields::duration(std::string_view name, absl::Duration otherwise) {
  const JsonValue* value = present(name);
  if (value == nullptr) return otherwise;
  if (!value->IsString()) {
    wrong_type(name, "a duration such as \"5s\"", *value);
    return otherwise;
  }
  const absl::StatusOr<absl::Duration> parsed = parse_duration(as_string_view(*value));
  if (parsed.ok()) return *parsed;
  complain(name, std::string(parsed.status().message()));
  return otherwise;
}

std::uint64_t Fields::bytes(std::string_view name, std::uint64_t otherwise) {
  const JsonValue* value = present(name);
  if (value == nullptr) return otherwise;
  if (value->IsUint64()) return value->GetUint64();
  if (!value->IsString()) {
    wrong_type(name, "a size such as \"4MiB\"", *value);
    return otherwise;
  }
  const absl::StatusOr<std::uint64_t> parsed = parse_bytes(as_string_view(*value));
  if (parsed.ok()) return *parsed;
  complain(name, std::string(parsed.status().message()));
  return otherwise;
}

std::vector<std::string> Fields::texts(std::string_view name) {
  std::vector<std::string> out;
  const JsonValue* value = present(name);
  if (value == nullptr) return out;
  if (!value->IsArray()) {
    wrong_type(name, "an array of strings", *value);
    return out;
  }
  for (const JsonValue& item : value->GetArray()) {
    if (item.IsString()) {
      out.emplace_back(as_string_view(item));
    } else {
      wrong_type(name, "an array of strings", item);
    }
  }
  return out;
}

}  // namespace fermata
