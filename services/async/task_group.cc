#include "services/async/task_group.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace fermata {
namespace {

constexpr std::size_t kErrorsInMessage = 8;

}  // namespace

void TaskGroup::launch(TaskBase& task) noexcept {
  if (closed_ != CancelReason::kNone) return task.drop_unstarted(closed_);
  // All have ended and the awaiting coroutine is about to run: too late.
  if (is_parked() && ended()) return task.drop_unstarted(CancelReason::kRequested);
  task.add_reference();
  task.start_soon(*this);
}

void TaskGroup::cancel(CancelReason why) noexcept {
  if (closed_ != CancelReason::kNone) return;
  closed_ = why;
  request_all(why);
}

void TaskGroup::on_end(Branch& branch) noexcept {
  if (branch.was_cancelled()) {
    if (branch.cancelled_from_outside()) interrupted_ = true;
    return;
  }
  const absl::Status error = branch.failure();
  if (error.ok()) return;
  add_error(error);
  cancel(CancelReason::kSiblingFailed);
}

// The first error is the group's, payloads and all; the messages of later ones are appended.
void TaskGroup::add_error(const absl::Status& error) {
  ++errors_;
  if (status_.ok()) {
    status_ = error;
    return;
  }
  if (errors_ > kErrorsInMessage) return;
  absl::Status joined(status_.code(),
                      absl::StrCat(status_.message(), "; also: ", error.ToString()));
  status_.ForEachPayload([&joined](absl::string_view url, const absl::Cord& payload) {
    joined.SetPayload(url, payload);
  });
  status_ = std::move(joined);
}

}  // namespace fermata
