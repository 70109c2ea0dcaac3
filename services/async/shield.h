// shield: a body that a cancellation from outside does not reach.
//
//   Outcome<void> outcome = co_await scope.run(work());
//   co_await shield(give_back(lease));          // runs to its end, whatever happens around it
//
// For clean-up that must wait for something. The cancellation is not lost: it acts at the first
// suspension after the shield. Deadlines inside the shield still work; a shield without one can
// hold up a shutdown for ever, so give it one.
#ifndef SERVICES_ASYNC_SHIELD_H_
#define SERVICES_ASYNC_SHIELD_H_

#include <utility>

#include "services/async/awaitable.h"
#include "services/async/cancel_scope.h"
#include "services/async/co.h"
#include "services/async/join.h"

namespace fermata {
namespace detail {

class Shield : public Join {
 public:
  Shield() noexcept = default;
  void before_start(Branch&) noexcept {}
  bool has_result() const noexcept override { return true; }
  bool shielded() const noexcept override { return true; }
  const char* kind() const noexcept override { return "shield"; }
};

template <class T>
class RunShielded final : public RunOne<T, Shield> {
 public:
  using RunOne<T, Shield>::RunOne;
  T await_resume() { return this->branch_.take(); }
};

template <class T>
Co<T> run_shielded(Body<T> body) {
  co_return co_await RunShielded<T>(std::move(body));
}

}  // namespace detail

// Wakes when the body has ended. On cancel and on shutdown: not before the body has ended.
template <class A>
  requires Awaitable<A>
Co<AwaitResult<A>> shield(A&& body) {
  return detail::run_shielded(detail::to_body(std::forward<A>(body)));
}

}  // namespace fermata

#endif  // SERVICES_ASYNC_SHIELD_H_
