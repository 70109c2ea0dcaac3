// YAML scalars to JSON values, by YAML 1.2's core schema.
#include <cmath>

#include "absl/strings/charconv.h"
#include "absl/strings/numbers.h"
#include "services/config/str_cat.h"
#include "services/config/yaml_tree.h"

namespace fermata {
namespace {

bool all_of(std::string_view text, std::string_view set) {
  return !text.empty() && text.find_first_not_of(set) == std::string_view::npos;
}

// [-+]?digits, 0x1F, 0o17
bool integer(std::string_view text, JsonValue& out) {
  std::string_view digits = text;
  if (!digits.empty() && (digits[0] == '-' || digits[0] == '+')) digits.remove_prefix(1);
  if (all_of(digits, "0123456789")) {
    int64_t value = 0;
    uint64_t natural = 0;
    if (absl::SimpleAtoi(for_absl(text), &value)) {
      out.SetInt64(value);
    } else if (absl::SimpleAtoi(for_absl(text), &natural)) {
      out.SetUint64(natural);
    } else {
      return false;
    }
    return true;
  }
  bool hex = text.substr(0, 2) == "0x" && all_of(text.substr(2), "0123456789abcdefABCDEF");
  bool octal = text.substr(0, 2) == "0o" && all_of(text.substr(2), "01234567");
  if (!hex && !octal) return false;
  uint64_t value = 0;
  for (char c : text.substr(2)) {
    if (value >> (hex ? 60 : 61) != 0) return false;
    unsigned digit = static_cast<unsigned>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    value = value * (hex ? 16 : 8) + digit;
  }
  out.SetUint64(value);
  return true;
}

// Digits with a point or an exponent; ".5" and "5." are numbers to YAML.
bool fraction(std::string_view text, JsonValue& out) {
  std::string_view digits = text;
  if (!digits.empty() && (digits[0] == '-' || digits[0] == '+')) digits.remove_prefix(1);
  if (!all_of(digits, "0123456789.eE+-") || digits.find_first_of("0123456789") > 1) return false;
  if (text[0] == '+') text.remove_prefix(1);
  double value = 0;
  absl::from_chars_result got = absl::from_chars(text.data(), text.data() + text.size(), value);
  bool overflow = got.ec == std::errc::result_out_of_range && std::abs(value) > 1;
  if (got.ec == std::errc::invalid_argument || got.ptr != text.data() + text.size() || overflow) {
    return false;
  }
  out.SetDouble(value);
  return true;
}

void plain_scalar(const YamlNode& node, JsonValue& out, JsonAllocator& allocator) {
  const std::string& text = node.scalar;
  if (node.is_null()) return;
  if (text == "true" || text == "True" || text == "TRUE") {
    out.SetBool(true);
  } else if (text == "false" || text == "False" || text == "FALSE") {
    out.SetBool(false);
  } else if (!integer(text, out) && !fraction(text, out)) {
    out.SetString(text, allocator);
  }
}

}  // namespace

JsonValue yaml_to_json(const YamlNode& node, JsonAllocator& allocator) {
  JsonValue out;
  switch (node.kind) {
    case YamlNode::Kind::kScalar:
      if (node.quoted) {
        out.SetString(node.scalar, allocator);
      } else {
        plain_scalar(node, out, allocator);
      }
      break;
    case YamlNode::Kind::kSequence:
      out.SetArray();
      for (const auto& item : node.items) out.PushBack(yaml_to_json(*item, allocator), allocator);
      break;
    case YamlNode::Kind::kMapping:
      out.SetObject();
      for (const YamlMember& member : node.members) {
        out.AddMember(JsonValue(member.key, allocator), yaml_to_json(*member.value, allocator),
                      allocator);
      }
      break;
  }
  return out;
}

}  // namespace fermata
