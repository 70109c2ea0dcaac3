// The task a coroutine runs in, found as ps() finds it: from the scope of the frame outwards.
#ifndef TESTS_CONFORMANCE_CURRENT_TASK_H_
#define TESTS_CONFORMANCE_CURRENT_TASK_H_

#include <coroutine>
#include <cstdint>

#include "services/async/async.h"

namespace fermata {

// co_await current_task_id(): the id, or 0 outside any task. Does not suspend.
class [[nodiscard]] CurrentTaskId {
 public:
  CurrentTaskId() noexcept {}
  bool await_ready() const noexcept { return false; }
  template <class P>
  bool await_suspend(std::coroutine_handle<P> frame) noexcept {
    const Scope* scope = frame.promise().scope;
    while (scope != nullptr && id_ == 0) {
      const Branch* branch = static_cast<const Branch*>(scope);
      if (const TaskBase* task = branch->as_task()) id_ = task->id();
      scope = branch->join()->outer();
    }
    return false;
  }
  std::uint64_t await_resume() const noexcept { return id_; }

 private:
  std::uint64_t id_ = 0;
};

inline CurrentTaskId current_task_id() noexcept { return CurrentTaskId(); }

}  // namespace fermata

#endif  // TESTS_CONFORMANCE_CURRENT_TASK_H_
