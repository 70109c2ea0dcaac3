// Checked mode: what only `--config=checked` builds do, always in continuous integration.
//
//   every await suspends    leaf operations have no budget, so each goes through the ready ring,
//   and
//                           code that relied on "this one never waits" fails at once
//   shuffled order          the real loops run what is ready in an order drawn from FERMATA_SEED,
//                           which is printed when the process begins, if the environment has none
//   dead frames stay dead   frames are filled with a pattern when they are freed, kept for a while,
//                           and looked at again before their memory is reused
//                           (frame_pool_checked.cc)
//   one thread              a scope used from another thread, or in another loop, aborts
//   no waiting in clean-up  a destructor that runs coroutines, or a loop, aborts
//   CPU time                each task's is measured, and shown by ps()
//
// A constant, not a macro, so that both sides of every `if` are compiled in every build.
#ifndef SERVICES_ASYNC_CHECKED_H_
#define SERVICES_ASYNC_CHECKED_H_

#include <cstddef>
#include <cstdint>

#include "services/async/check.h"

namespace fermata {

class Loop;

#ifdef FERMATA_CHECKED
inline constexpr bool kChecked = true;
#else
inline constexpr bool kChecked = false;
#endif

namespace detail {

// The next number of the process's seeded sequence; below `below`. Loop threads share it.
std::uint64_t checked_random(std::uint64_t below) noexcept;

// Which loop an object belongs to. Empty, and never wrong, in other builds.
template <bool checked>
class LoopStamp {
 public:
  void set(const Loop*) noexcept {}
  void verify(const Loop*) const noexcept {}
};

template <>
class LoopStamp<true> {
 public:
  void set(const Loop* loop) noexcept { loop_ = loop; }
  void verify(const Loop* current) const noexcept {
    FERMATA_CHECK(loop_ == nullptr || loop_ == current,
                  "a task or scope was used from a thread, or in a loop, that is not its own: use "
                  "Loop::post()");
  }

 private:
  const Loop* loop_ = nullptr;
};

// While one exists, this thread destroys frames, and nothing else may run on it.
template <bool checked>
class Destroying {
 public:
  Destroying() noexcept {}
  static bool here() noexcept { return false; }
};

template <>
class Destroying<true> {
 public:
  Destroying() noexcept { ++depth_; }
  Destroying(const Destroying&) = delete;
  ~Destroying() { --depth_; }
  static bool here() noexcept { return depth_ != 0; }

 private:
  static inline constinit thread_local int depth_ = 0;
};

// CPU time of one task.
template <bool checked>
class CpuTime {
 public:
  std::int64_t ns() const noexcept { return 0; }
  void add_ns(std::int64_t) noexcept {}
};

template <>
class CpuTime<true> {
 public:
  std::int64_t ns() const noexcept { return ns_; }
  void add_ns(std::int64_t ns) noexcept { ns_ += ns; }

 private:
  std::int64_t ns_ = 0;
};

}  // namespace detail
}  // namespace fermata

#endif  // SERVICES_ASYNC_CHECKED_H_
