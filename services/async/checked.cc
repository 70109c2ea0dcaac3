#include "services/async/checked.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "services/async/splitmix.h"

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

std::uint64_t checked_random(std::uint64_t below) noexcept {
  // Loops on several threads draw from one sequence: each takes the next state.
  static std::atomic<std::uint64_t> state{first_state()};
  std::uint64_t own = state.fetch_add(kSplitmixStep, std::memory_order_relaxed);
  const std::uint64_t drawn = splitmix64(own);
  return below == 0 ? 0 : drawn % below;
}

}  // namespace fermata::detail
