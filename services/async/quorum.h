// quorum: the first n successes of some tasks.
//
//   absl::StatusOr<std::vector<Vote>> votes = co_await quorum(2, replicas);
//
// In the order in which they were seen to succeed. Fails as soon as too few can still succeed, with
// the last error. The other tasks go on: they belong to their group.
#ifndef SERVICES_ASYNC_QUORUM_H_
#define SERVICES_ASYNC_QUORUM_H_

#include <cstddef>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "services/async/co.h"
#include "services/async/event.h"
#include "services/async/task.h"
#include "services/async/task_group.h"
#include "services/async/try.h"

namespace fermata {
namespace detail {

template <class T>
class Quorum {
 public:
  Quorum(std::size_t needed, absl::Span<const Task<T>> tasks)
      : needed_(needed), possible_(tasks.size()), tasks_(tasks) {
    decide();
  }

  static Co<absl::Status> watch(Quorum* quorum, Task<T> task) {
    const Outcome<T>& outcome = co_await task;
    if (outcome.ok()) {
      quorum->values_.push_back(outcome.value());
    } else {
      --quorum->possible_;
      quorum->last_error_ = outcome.status();
    }
    quorum->decide();
    co_return absl::OkStatus();
  }
  static Co<absl::Status> wait(TaskGroup& group, Quorum* quorum) {
    for (const Task<T>& task : quorum->tasks_) {
      group.spawn_named("quorum", &Quorum::watch, quorum, task);
    }
    co_await quorum->decided_.wait();
    group.cancel();
    co_return absl::OkStatus();
  }
  absl::StatusOr<std::vector<T>> result() && {
    if (values_.size() >= needed_) {
      values_.erase(values_.begin() + static_cast<std::ptrdiff_t>(needed_), values_.end());
      return std::move(values_);
    }
    return absl::Status(last_error_.ok() ? absl::StatusCode::kInvalidArgument : last_error_.code(),
                        absl::StrCat("only ", possible_, " of ", tasks_.size(), " could succeed, ",
                                     needed_, " are needed; last error: ", last_error_.message()));
  }

 private:
  void decide() {
    if (values_.size() >= needed_ || possible_ < needed_) decided_.set();
  }

  const std::size_t needed_;
  std::size_t possible_;
  absl::Span<const Task<T>> tasks_;
  std::vector<T> values_;
  absl::Status last_error_;
  Event decided_;
};

}  // namespace detail

// Wakes when the answer is known. On cancel: at once; the tasks go on. On shutdown: as cancelled.
template <class T>
Co<absl::StatusOr<std::vector<T>>> quorum(std::size_t needed, absl::Span<const Task<T>> tasks) {
  detail::Quorum<T> state(needed, tasks);
  co_await Try(with_group(&detail::Quorum<T>::wait, &state));
  co_return std::move(state).result();
}
template <class T>
Co<absl::StatusOr<std::vector<T>>> quorum(std::size_t needed, const std::vector<Task<T>>& tasks) {
  return quorum(needed, absl::Span<const Task<T>>(tasks));
}

}  // namespace fermata

#endif  // SERVICES_ASYNC_QUORUM_H_
