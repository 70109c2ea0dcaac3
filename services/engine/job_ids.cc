#include "services/engine/job_ids.h"

#include <algorithm>
#include <limits>

#include "absl/random/uniform_int_distribution.h"
#include "services/store/job_key.h"

namespace fermata {

std::string JobIds::next(absl::Time now) {
  const uint64_t ms = static_cast<uint64_t>(std::max<int64_t>(absl::ToUnixMillis(now), 0));
  last_ = std::max(ms << 12, last_ + 1);
  const uint64_t high = last_ >> 12 << 16 | 0x7000 | (last_ & 0xfff);
  absl::uniform_int_distribution<uint64_t> bits(0, std::numeric_limits<uint64_t>::max());
  const uint64_t low = bits(random_) >> 2 | uint64_t{1} << 63;

  std::string text(36, '-');
  size_t at = 0;
  for (int nibble = 31; nibble >= 0; --nibble) {
    if (at == 8 || at == 13 || at == 18 || at == 23) ++at;
    const uint64_t word = nibble >= 16 ? high : low;
    text[at++] = "0123456789abcdef"[word >> (nibble % 16 * 4) & 0xf];
  }
  return text;
}

void JobIds::start_above(std::string_view id) {
  last_ = std::max(last_, static_cast<uint64_t>(key_of(id).value_or(0)));
}

}  // namespace fermata
