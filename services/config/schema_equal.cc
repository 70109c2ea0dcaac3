#include "services/config/schema_equal.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "absl/hash/hash.h"

namespace fermata {
namespace {

bool equal_numbers(const JsonValue& a, const JsonValue& b) {
  if (a.IsDouble() || b.IsDouble()) return a.GetDouble() == b.GetDouble();
  if (a.IsInt64() != b.IsInt64()) return false;  // one is above the largest int64
  return a.IsInt64() ? a.GetInt64() == b.GetInt64() : a.GetUint64() == b.GetUint64();
}

bool equal_objects(const JsonValue& a, const JsonValue& b, int64_t* budget) {
  if (a.MemberCount() != b.MemberCount()) return false;
  for (const auto& member : a.GetObject()) {
    *budget -= 1 + b.MemberCount() / 8;
    if (*budget < 0) return false;
    const JsonValue* other = find_member(b, as_string_view(member.name));
    if (other == nullptr || !json_equal(member.value, *other, budget)) return false;
  }
  return true;
}

}  // namespace

bool json_equal(const JsonValue& a, const JsonValue& b, int64_t* budget) {
  if (--*budget < 0) return false;
  if (a.IsNumber() && b.IsNumber()) return equal_numbers(a, b);
  if (a.GetType() != b.GetType()) return false;
  if (a.IsString()) return as_string_view(a) == as_string_view(b);
  if (a.IsObject()) return equal_objects(a, b, budget);
  if (!a.IsArray()) return true;
  if (a.Size() != b.Size()) return false;
  for (unsigned i = 0; i < a.Size(); ++i) {
    if (!json_equal(a[i], b[i], budget)) return false;
  }
  return true;
}

size_t json_hash(const JsonValue& value, int64_t* budget) {
  if (--*budget < 0) return 0;
  if (value.IsNumber()) return absl::HashOf(value.GetDouble());
  if (value.IsString()) {
    std::string_view text = as_string_view(value);
    *budget -= static_cast<int64_t>(text.size() / 64);
    return absl::HashOf(text);
  }
  size_t hash = absl::HashOf(static_cast<int>(value.GetType()));
  if (value.IsArray()) {
    for (const JsonValue& item : value.GetArray()) {
      hash = absl::HashOf(hash, json_hash(item, budget));
    }
  } else if (value.IsObject()) {
    size_t sum = 0;  // the same in any order
    for (const auto& member : value.GetObject()) {
      sum += absl::HashOf(as_string_view(member.name), json_hash(member.value, budget));
    }
    hash = absl::HashOf(hash, sum);
  }
  return hash;
}

bool json_less(const JsonValue& a, const JsonValue& b) {
  if (a.IsDouble() || b.IsDouble()) return a.GetDouble() < b.GetDouble();
  if (a.IsInt64() && b.IsInt64()) return a.GetInt64() < b.GetInt64();
  if (a.IsUint64() && b.IsUint64()) return a.GetUint64() < b.GetUint64();
  return a.IsInt64();  // the other one is above the largest int64
}

bool json_is_multiple(const JsonValue& value, const JsonValue& of) {
  if (of.IsUint64() && value.IsUint64()) return value.GetUint64() % of.GetUint64() == 0;
  if (of.IsUint64() && value.IsInt64()) {
    // Not -value: the smallest integer has no positive one.
    return (uint64_t{0} - static_cast<uint64_t>(value.GetInt64())) % of.GetUint64() == 0;
  }
  // 0.3 is a multiple of 0.1 to everybody but the binary system.
  double quotient = value.GetDouble() / of.GetDouble();
  return std::abs(quotient - std::nearbyint(quotient)) <= 1e-9 * std::max(1.0, std::abs(quotient));
}

}  // namespace fermata
