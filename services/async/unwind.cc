#include "services/async/unwind.h"

#include <utility>

#include "services/async/checked.h"
#include "services/async/promise_base.h"
#include "services/async/scope.h"

namespace fermata::detail {

void destroy_calls(FrameHandle innermost, const Scope& scope) noexcept {
  const Destroying<kChecked> here;
  for (FrameHandle frame = innermost; frame != nullptr;) {
    PromiseBase& promise = frame.promise();
    Completion* const completion = promise.continuation.completion();
    if (completion == &scope) return;
    const std::coroutine_handle<> caller =
        completion != nullptr ? completion->awaiting() : promise.continuation.frame();
    if (completion != nullptr) {
      completion->destroy_callee();
    } else if (promise.kind != PromiseBase::Kind::kGenerator) {
      std::exchange(promise.owner(), nullptr).destroy();
    }
    frame = FrameHandle::from_address(caller.address());
  }
}

void drop_calls(Completion& below) noexcept {
  const Destroying<kChecked> here;
  Completion* link = &below;
  Completion* above = nullptr;
  while (link->callee()->abandoned()) {
    PromiseBase& callee = *link->callee();
    Completion* const next = callee.continuation.completion();
    callee.continuation = above;
    above = std::exchange(link, next);
  }
  for (;;) {
    link->destroy_callee();
    if (above == nullptr) return;
    link = std::exchange(above, above->callee()->continuation.completion());
  }
}

}  // namespace fermata::detail
