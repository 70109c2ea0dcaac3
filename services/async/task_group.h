// TaskGroup: children that never outlive their group. asyncio's TaskGroup, Trio's nursery.
//
//   Co<absl::Status> accept_loop(TaskGroup& group, Listener& listener) {
//     for (;;) {
//       Connection peer = co_await Try(listener.accept());
//       group.spawn_named("conn", handle, std::move(peer));
//     }
//   }
//   co_return co_await with_group(accept_loop, listener);
//
// The body may lend its locals to the children as long as it waits for them: when the group is
// cancelled, the body is unwound last. A body that returns before its children ends their use of
// its locals: what they need longer belongs to the caller of with_group, or to the task (spawn
// copies).
//
// A group is a function with a body, never a bare variable: C++ has no asynchronous destructor, so
// only a function can wait for the children before it returns. It ends when the body and every
// child have ended, including those spawned meanwhile. The first failure (a Status that is not ok,
// or an exception) cancels the rest, and is what with_group returns; the errors of others that fail
// while they are being cancelled are added to its message. A child that was cancelled has not
// failed.
#ifndef SERVICES_ASYNC_TASK_GROUP_H_
#define SERVICES_ASYNC_TASK_GROUP_H_

#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "services/async/co.h"
#include "services/async/task.h"

namespace fermata {

class TaskGroup : public Join {
 public:
  // Starts fn(args...) as a task, behind what is ready now. fn is a function, a member function
  // with its object's pointer first, or a lambda without captures. The arguments are stored with
  // the task as fn's parameter types (callable.h). In a group that is being cancelled, or whose
  // last child has just ended, nothing is started: the task is already done, as cancelled.
  template <class F, class... A>
  auto spawn(F fn, A&&... args) {
    return spawn_named(std::string_view(), fn, std::forward<A>(args)...);
  }
  template <class F, class... A>
  auto spawn_named(std::string_view name, F fn, A&&... args) {
    using Block = detail::TaskBlock<detail::CoroutineValue<F>, detail::StoredArguments<F, A...>>;
    return adopt(new (name) Block(name, fn, std::forward<A>(args)...));
  }

  // Cancels the body and the children; the coroutine that awaits with_group goes on, without error.
  // Idempotent. What is spawned afterwards does not start.
  void cancel(CancelReason why = CancelReason::kRequested) noexcept;
  bool cancelled() const noexcept { return closed_ != CancelReason::kNone; }
  // Children (and body) that have not ended.
  std::size_t size() const noexcept { return running(); }

 protected:
  // Starts a task block, which it takes over.
  template <class T>
  Task<T> adopt(detail::TaskState<T>* block) noexcept {
    launch(*block);
    return Task<T>(block);
  }
  TaskGroup() = default;
  ~TaskGroup() = default;
  const absl::Status& first_error() const noexcept { return status_; }

 private:
  void launch(TaskBase& task) noexcept;
  void on_end(Branch& branch) noexcept override;
  bool has_result() const noexcept override { return !status_.ok() || !interrupted_; }
  const char* kind() const noexcept override { return "group"; }
  void add_error(const absl::Status& error);

  absl::Status status_;
  std::size_t errors_ = 0;
  CancelReason closed_ = CancelReason::kNone;
  bool interrupted_ = false;  // somebody was cut short by a cancellation from outside
};

namespace detail {

// The group of one with_group call.
class BodyGroup final : public TaskGroup {
 public:
  BodyGroup() = default;
  const absl::Status& status() const noexcept { return first_error(); }
};

// Runs the body, then waits for the group.
template <class R>
class [[nodiscard]] RunBody {
 public:
  RunBody(BodyGroup& group, Co<R>&& body) noexcept
      : group_(&group), branch_(std::move(body).release()) {
    branch_.unwind_last();
  }
  RunBody(const RunBody&) = delete;
  bool await_ready() const noexcept { return false; }
  template <class P>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<P> frame,
                                        std::uint32_t line = __builtin_LINE()) noexcept {
    group_->begin(frame, line);
    return transfer(branch_.start_now(*group_).resolve());
  }
  void await_resume() const noexcept {}

 private:
  BodyGroup* group_;
  BodyBranch<R> branch_;
};

template <class R>
RunBody<R> run_body(BodyGroup& group, Co<R>&& body) noexcept {
  return RunBody<R>(group, std::move(body));
}

}  // namespace detail

// body(group, args...) is a coroutine returning Status or void; it is awaited in place, so it may
// take references. Wakes when all have ended. On cancel: forwarded to the body and the children;
// goes on outward when all have ended. On shutdown: likewise.
template <class F, class... A>
Co<absl::Status> with_group(F body, A&&... args) {
  detail::BodyGroup group;
  TaskGroup& children = group;
  co_await detail::run_body(group, body(children, std::forward<A>(args)...));
  co_return group.status();
}

// A group without a body or a waiting frame, for the owner of a loop: the root of run(), the calls
// of a plugin. The owner must see to it that size() is 0 before it is destroyed.
class OpenGroup final : public TaskGroup {
 public:
  OpenGroup() = default;
  using TaskGroup::adopt;
  // The first failure so far, which has cancelled the other children.
  const absl::Status& status() const noexcept { return first_error(); }
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_TASK_GROUP_H_
