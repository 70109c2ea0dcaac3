#include "services/store/job_key.h"

#include <cstddef>

namespace fermata {
namespace {

constexpr size_t kIdSize = 36;
constexpr size_t kVersionAt = 14;

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

bool is_dash(size_t at) { return at == 8 || at == 13 || at == 18 || at == 23; }

}  // namespace

std::optional<JobKey> key_of(std::string_view id) {
  if (id.size() != kIdSize || id[kVersionAt] != '7') return std::nullopt;
  JobKey key = 0;
  for (size_t at = 0; at < kIdSize; ++at) {
    if (is_dash(at)) {
      if (id[at] != '-') return std::nullopt;
      continue;
    }
    const int value = digit(id[at]);
    if (value < 0) return std::nullopt;
    if (at < 18 && at != kVersionAt) key = key << 4 | value;
  }
  return key;
}

std::string id_floor(JobKey key) {
  std::string id = "00000000-0000-7000-8000-000000000000";
  for (size_t at = 18; at-- > 0;) {
    if (is_dash(at) || at == kVersionAt) continue;
    id[at] = "0123456789abcdef"[key & 0xf];
    key >>= 4;
  }
  return id;
}

}  // namespace fermata
