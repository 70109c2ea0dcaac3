// buggify(): true now and then, in a simulation that asks for it; always false anywhere else.
//
//   const std::size_t limit = buggify() ? 1 : kReadSize;   // a short read
//
// It marks a place where something legal but rare may happen, so that simulations meet it often:
// a small limit, an early flush, an extra yield. Each place is either in use in a whole run or not,
// drawn from the seed and where it stands in the source; so runs differ in kind, not only in luck.
// The idea is FoundationDB's. Loop thread; outside of a simulation it costs one load.
#ifndef SERVICES_ASYNC_BUGGIFY_H_
#define SERVICES_ASYNC_BUGGIFY_H_

#include <cstdint>

namespace fermata {

namespace detail {

class Buggifier {
 public:
  Buggifier(std::uint64_t seed, int places_percent, int fires_percent) noexcept
      : seed_(seed), state_(~seed), places_(places_percent), fires_(fires_percent) {}
  bool fires(const char* file, int line) noexcept;

  static inline constinit thread_local Buggifier* current = nullptr;

 private:
  const std::uint64_t seed_;
  std::uint64_t state_;  // its own, so that a new place does not change the order of everything
  const int places_;
  const int fires_;
};

}  // namespace detail

inline bool buggify(const char* file = __builtin_FILE(), int line = __builtin_LINE()) noexcept {
  if (detail::Buggifier::current == nullptr) [[likely]]
    return false;
  return detail::Buggifier::current->fires(file, line);
}

}  // namespace fermata

#endif  // SERVICES_ASYNC_BUGGIFY_H_
