#include "services/async/join.h"

#include <algorithm>
#include <coroutine>

#include "services/async/loop.h"

namespace fermata {

// ---- Branch

void Branch::start_soon(Join& join) noexcept {
  Loop& loop = Loop::current();
  join.add(*this, loop);
  loop.ready(*this, this);
}

Continuation Branch::start_now(Join& join) noexcept {
  Loop& loop = Loop::current();
  join.add(*this, loop);
  PromiseBase& promise = body_.promise();
  promise.scope = this;
  promise.continuation = this;
  if (!requested()) {
    loop.set_running(this);
    return body_;
  }
  unwind();  // wakes through the ring, so that a loop around this lets others run
  return {};
}

void Branch::run_start(Runnable* self) noexcept {
  Branch& branch = *static_cast<Branch*>(self);
  if (branch.requested()) return branch.unwind();
  PromiseBase& promise = branch.body_.promise();
  promise.scope = &branch;
  promise.continuation = &branch;
  branch.body_.resume();
}

Continuation Branch::complete() noexcept { return join_->branch_ended(*this); }

bool Branch::may_unwind() const noexcept { return !unwind_last_ || join_->running() == 1; }

void Branch::unwind() noexcept {
  destroy_body();
  was_cancelled_ = true;
  const std::coroutine_handle<> next = join_->branch_ended(*this).resolve();
  if (next) resume_soon(next);
}

void Branch::given() noexcept { join_->on_given(*this); }

std::int64_t Branch::deadline_ns() const noexcept {
  const std::int64_t own = join_->own_deadline_ns();
  Scope* outer = join_->outer();
  if (outer == nullptr || join_->shielded()) return own;
  return std::min(own, outer->deadline_ns());
}

std::coroutine_handle<> Branch::awaiting() const noexcept {
  return join_->parked() ? std::coroutine_handle<>(join_->frame()) : nullptr;
}

// ---- Join

Join::Join() noexcept : Suspension(&Join::abort) {
  Loop& loop = Loop::current();
  next_join_ = loop.first_join;
  if (next_join_ != nullptr) next_join_->previous_join_ = this;
  loop.first_join = this;
}

Join::~Join() {
  FERMATA_CHECK(running_ == 0, "a group or gather was destroyed while a child was running");
  if (next_join_ != nullptr) next_join_->previous_join_ = previous_join_;
  (previous_join_ != nullptr ? previous_join_->next_join_ : Loop::current().first_join) =
      next_join_;
}

CancelReason Join::inherited() const noexcept {
  if (shielded() || !parked()) return CancelReason::kNone;
  return scope().reason();
}

void Join::add(Branch& branch, Loop& loop) noexcept {
  if (Scope* starter = loop.running()) branch.context() = starter->context();
  branch.join_ = this;
  branch.previous_ = last_;
  (last_ != nullptr ? last_->next_ : first_) = &branch;
  last_ = &branch;
  ++running_;
  const CancelReason reason = inherited();
  if (reason != CancelReason::kNone) branch.request_from_outside(reason);
}

void Join::remove(Branch& branch) noexcept {
  (branch.previous_ != nullptr ? branch.previous_->next_ : first_) = branch.next_;
  (branch.next_ != nullptr ? branch.next_->previous_ : last_) = branch.previous_;
  branch.previous_ = branch.next_ = nullptr;
  --running_;
}

void Join::request_all(CancelReason reason) noexcept {
  for (Branch* branch = first_; branch != nullptr; branch = branch->next_) branch->request(reason);
}

void Join::request_others_now(const Branch& branch, CancelReason reason) noexcept {
  for (Branch* other = first_; other != nullptr; other = other->next_) {
    if (other != &branch) other->request_now(reason);
  }
}

bool Join::abort(Suspension& self) noexcept {
  Join& join = static_cast<Join&>(self);
  if (join.shielded()) return false;
  const CancelReason reason = join.scope().reason();
  for (Branch* branch = join.first_; branch != nullptr; branch = branch->next_) {
    branch->request_from_outside(reason);
  }
  return false;
}

Continuation Join::branch_ended(Branch& branch) noexcept {
  remove(branch);
  on_end(branch);
  if (running_ == 1 && first_->unwind_last_) first_->redeliver();
  if (running_ != 0 || !parked()) return {};
  if (scope().requested() && !has_result()) {
    released();
    return {};
  }
  return wake_now();
}

}  // namespace fermata
