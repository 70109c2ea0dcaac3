#include "services/async/task.h"

#include <cstring>

#include "services/async/frame_pool.h"
#include "services/async/loop.h"

namespace fermata {

TaskBase::TaskBase(std::string_view name) : Branch(nullptr), id_(Loop::current().next_task_id()) {
  if (name.empty()) return;
  char* copy = static_cast<char*>(fermata_frame_alloc(name.size() + 1));
  std::memcpy(copy, name.data(), name.size());
  copy[name.size()] = '\0';
  name_ = copy;
  owns_name_ = true;
}

TaskBase::~TaskBase() {
  if (!done_) Loop::current().task_ended();  // an argument threw: it was never started
  if (owns_name_) fermata_frame_free(const_cast<char*>(name_), std::strlen(name_) + 1);
}

Continuation TaskBase::complete() noexcept {
  // The body is still inside its final suspension, so it cannot be destroyed here; finish() is what
  // control is transferred to.
  run = [](Runnable* self) noexcept { static_cast<TaskBase*>(self)->finish(); };
  return handle();
}

void TaskBase::unwind() noexcept {
  mark_cancelled();
  finish();
}

void TaskBase::finish() noexcept {
  settle();
  done_ = true;
  Loop& loop = Loop::current();
  loop.task_ended();
  while (Joiner* joiner = joiners_.pop()) joiner->wake();
  const std::coroutine_handle<> next = join()->branch_ended(*this).resolve();
  if (next) loop.ready(next);
  drop_reference();
}

void TaskBase::check_not_awaited_by(const Scope& scope) const noexcept {
  for (const Scope* at = &scope; at != nullptr;
       at = static_cast<const Branch*>(at)->join()->outer()) {
    FERMATA_CHECK(at != this, "a task awaits itself, or a task it is part of: it would never end");
  }
}

void TaskBase::drop_unstarted(CancelReason reason) noexcept {
  request(reason);
  mark_cancelled();
  settle();
  done_ = true;
  Loop::current().task_ended();
}

}  // namespace fermata
