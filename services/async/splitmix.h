// splitmix64: a whole random generator in five lines, the same on every machine and library.
#ifndef SERVICES_ASYNC_SPLITMIX_H_
#define SERVICES_ASYNC_SPLITMIX_H_

#include <cstdint>

namespace fermata::detail {

inline constexpr std::uint64_t kSplitmixStep = 0x9e3779b97f4a7c15u;

inline std::uint64_t splitmix64(std::uint64_t& state) noexcept {
  state += kSplitmixStep;
  std::uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

}  // namespace fermata::detail

#endif  // SERVICES_ASYNC_SPLITMIX_H_
