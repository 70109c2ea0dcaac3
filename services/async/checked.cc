#include "services/async/checked.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace fermata::detail {
namespace {

std::uint64_t first_state() {
  if (const char* given = std::getenv("FERMATA_SEED")) return std::strtoull(given, nullptr, 10);
  const std::uint64_t drawn = std::random_device()();
  std::fprintf(stderr, "checked build: FERMATA_SEED=%llu\n",
               static_cast<unsigned long long>(drawn));
  return drawn;
}

}  // namespace

std::uint64_t checked_random(std::uint64_t below) noexcept {  // splitmix64
  static std::atomic<std::uint64_t> state{first_state()};
  constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15u;
  std::uint64_t z = state.fetch_add(kStep, std::memory_order_relaxed) + kStep;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  z ^= z >> 31;
  return below == 0 ? 0 : z % below;
}

}  // namespace fermata::detail
