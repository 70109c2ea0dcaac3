// FERMATA_CHECK: an invariant that must hold in every build.
//
// A broken invariant in a scheduler is never a condition to handle: the frames it would return
// through are the ones that are broken. The check prints file, line, the condition and one plain
// sentence about what it protects, and aborts, so that the core file shows the fault itself.
//
//   FERMATA_CHECK(running_ == 0, "a TaskGroup ended while a child was alive");
#ifndef SERVICES_ASYNC_CHECK_H_
#define SERVICES_ASYNC_CHECK_H_

namespace fermata::detail {
[[noreturn]] void check_failed(const char* file, int line, const char* condition,
                               const char* message) noexcept;
}  // namespace fermata::detail

#define FERMATA_CHECK(condition, ...) \
  (static_cast<bool>(condition)       \
       ? static_cast<void>(0)         \
       : ::fermata::detail::check_failed(__FILE__, __LINE__, #condition, "" __VA_ARGS__))

#endif  // SERVICES_ASYNC_CHECK_H_
