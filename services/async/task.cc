#include "services/async/task.h"

#include <cstring>

#include "services/async/frame_pool.h"
#include "services/async/loop.h"

namespace fermata {

void* TaskBase::allocate(std::size_t block, std::string_view name) noexcept {
  if (name.empty()) return fermata_frame_alloc(block);
  char* memory = static_cast<char*>(fermata_frame_alloc(block + name.size() + 1));
  std::memcpy(memory + block, name.data(), name.size());
  memory[block + name.size()] = '\0';
  return memory;
}

void TaskBase::free(void* memory, std::size_t block, bool named) noexcept {
  if (named) block += std::strlen(static_cast<const char*>(memory) + block) + 1;
  fermata_frame_free(memory, block);
}

TaskBase::TaskBase(std::string_view name) : Branch(nullptr), id_(Loop::current().next_task_id()) {
  named_ = !name.empty();
}

TaskBase::~TaskBase() {
  if (!done_) Loop::current().task_ended();  // an argument threw: it was never started
}

std::string_view TaskBase::name() const noexcept {
  if (named_) return reinterpret_cast<const char*>(this) + block_size();
  return done_ ? function_ : body().promise().function;
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
  Joiner* const joiners = end();
  for (Joiner* joiner = joiners; joiner != nullptr;) {
    Joiner* const next = joiner->next_ != joiners ? joiner->next_ : nullptr;
    joiner->next_ = nullptr;
    joiner->wake();
    joiner = next;
  }
  const std::coroutine_handle<> next = join()->branch_ended(*this).resolve();
  if (next) resume_soon(next);
  drop_reference();
}

TaskBase::Joiner* TaskBase::end() noexcept {
  const char* const function = body().promise().function;
  settle();
  Joiner* const joiners = joiners_;
  done_ = true;
  function_ = function;
  Loop& loop = Loop::current();
  loop.set_running(nullptr);
  loop.task_ended();
  return joiners;
}

void TaskBase::add_joiner(Joiner& joiner) noexcept {
  if (joiners_ == nullptr) {
    joiners_ = joiner.previous_ = joiner.next_ = &joiner;
    return;
  }
  joiner.next_ = joiners_;
  joiner.previous_ = joiners_->previous_;
  joiner.previous_->next_ = joiner.next_->previous_ = &joiner;
}

void TaskBase::remove_joiner(Joiner& joiner) noexcept {
  if (joiner.next_ == &joiner) {
    joiners_ = nullptr;
  } else {
    joiner.previous_->next_ = joiner.next_;
    joiner.next_->previous_ = joiner.previous_;
    if (joiners_ == &joiner) joiners_ = joiner.next_;
  }
  joiner.next_ = nullptr;
}

bool TaskBase::Joiner::leave(Suspension& suspension) noexcept {
  Joiner& self = static_cast<Joiner&>(suspension);
  if (self.next_ != nullptr) self.task_->remove_joiner(self);
  return true;
}

// Scopes are branches, and branches belong to joins.
TaskBase* task_of(const Scope* scope) noexcept {
  while (scope != nullptr) {
    const Branch* branch = static_cast<const Branch*>(scope);
    if (const TaskBase* task = branch->as_task()) return const_cast<TaskBase*>(task);
    scope = branch->join() != nullptr ? branch->join()->outer() : nullptr;
  }
  return nullptr;
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
  end();
}

}  // namespace fermata
