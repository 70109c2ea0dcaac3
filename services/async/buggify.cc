#include "services/async/buggify.h"

#include "services/async/splitmix.h"

namespace fermata::detail {

bool Buggifier::fires(const char* file, int line) noexcept {
  std::uint64_t place = seed_ + static_cast<std::uint64_t>(line);
  for (const char* c = file; *c != '\0'; ++c) {
    place = (place ^ static_cast<unsigned char>(*c)) * 0x100000001b3u;
  }
  if (splitmix64(place) % 100 >= static_cast<std::uint64_t>(places_)) return false;
  return splitmix64(state_) % 100 < static_cast<std::uint64_t>(fires_);
}

}  // namespace fermata::detail
