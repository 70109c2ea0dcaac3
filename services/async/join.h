// Branch and Join: running other bodies under their own scopes, and waiting for them.
//
//      awaiting frame (scope S)
//            │  parked at
//          Join ───────────┬──────────────┐       with_group, gather, race, timeout, shield,
//            │             │              │       CancelScope::run are a Join with a policy
//          Branch (scope)  Branch         Branch  a Task is a Branch with a control block
//            │             │              │
//          body frame      body frame     body frame
//
// Who owns what: the Join and its Branches live in the awaiting frame (Tasks: in the pool), and
// each Branch owns its body. A Branch ends exactly once, in one of two ways: its body returned
// (complete), or the loop destroyed it (unwind). A body that Try ended still holds its locals,
// which others may wait for, so it is destroyed first. The branch then leaves the Join; when the
// last has, the Join ends: it wakes its frame, or, if S has been cancelled and there is no result
// worth giving, it lets the cancellation of S go on through the awaiting frame.
//
// Cancelling S while the Join waits is forwarded to the branches, unless shielded. A body whose
// scope is already cancelled is never started.
#ifndef SERVICES_ASYNC_JOIN_H_
#define SERVICES_ASYNC_JOIN_H_

#include <cstddef>
#include <cstdint>
#include <utility>

#include "services/async/check.h"
#include "services/async/co.h"
#include "services/async/outcome.h"
#include "services/async/ready_ring.h"
#include "services/async/scope.h"

namespace fermata {

class Join;

class Branch : public Scope, public Runnable {
 public:
  // Queued to start behind what is ready now.
  void start_soon(Join& join) noexcept;
  // Started at once: what runs next.
  Continuation start_now(Join& join) noexcept;

  Join* join() const noexcept { return join_; }
  Branch* next() const noexcept { return next_; }
  FrameHandle body() const noexcept { return body_; }
  // Valid once ended: the body was destroyed before it could return, or never ran.
  bool was_cancelled() const noexcept { return was_cancelled_; }
  // Among the others of its Join it is cancelled last, when they have ended: they use its locals.
  void unwind_last() noexcept { unwind_last_ = true; }
  using Scope::stays;
  // The request came from outside the Join.
  // Its body is a leaf operation: what that is given decides the race which this is part of.
  void race_if_leaf() noexcept { racing_ = body_.promise().kind == PromiseBase::Kind::kLeaf; }
  bool cancelled_from_outside() const noexcept { return from_outside_; }
  void request_from_outside(CancelReason reason) noexcept {
    if (!requested()) from_outside_ = true;
    request(reason);
  }

  std::int64_t deadline_ns() const noexcept override;
  std::coroutine_handle<> awaiting() const noexcept override;
  // The error it ended with, if it did; ok otherwise, also when it was cancelled.
  virtual absl::Status failure() const noexcept = 0;
  // The task this branch is, for ps(); null if it is part of another one.
  virtual const class TaskBase* as_task() const noexcept { return nullptr; }

 protected:
  explicit Branch(FrameHandle body) noexcept : Runnable(&Branch::run_start), body_(body) {}
  ~Branch() { destroy_body(); }

  // The body returned: it is suspended for the last time.
  Continuation complete() noexcept override;
  bool may_unwind() const noexcept final;
  void unwind() noexcept override;
  void given() noexcept final;

  void set_body(FrameHandle body) noexcept { body_ = body; }
  void mark_cancelled() noexcept { was_cancelled_ = true; }
  void destroy_body() noexcept {
    const detail::Destroying<kChecked> here;
    if (!body_) return;
    body_.promise().drop_calls();
    std::exchange(body_, nullptr).destroy();
  }

 private:
  friend class Join;
  static void run_start(Runnable* self) noexcept;

  Join* join_ = nullptr;
  Branch* previous_ = nullptr;
  Branch* next_ = nullptr;
  FrameHandle body_;
};

class Join : public Suspension {
 public:
  Join() noexcept;
  ~Join();

  // Parks `frame` at this join.
  template <class P>
  void begin(std::coroutine_handle<P> frame, std::uint32_t line) noexcept {
    frame.promise().line = line;
    park_running(detail::untyped(frame));
  }
  void request_all(CancelReason reason) noexcept;
  void request_others_now(const Branch& branch, CancelReason reason) noexcept;
  std::size_t running() const noexcept { return running_; }

  // A branch has ended. Returns the awaiting frame if it is to run now.
  Continuation branch_ended(Branch& branch) noexcept;
  // The join that `at` is, or null if it is a leaf.
  static const Join* from(const Suspension* at) noexcept {
    const bool is_join = at != nullptr && at->abort_ == &Join::abort;
    return is_join ? static_cast<const Join*>(at) : nullptr;
  }
  // True when nothing runs any more, so there is no need to park.
  bool ended() const noexcept { return running_ == 0; }
  // The reason branches started now inherit.
  CancelReason inherited() const noexcept;
  bool is_parked() const noexcept { return parked(); }

  Branch* first_branch() const noexcept { return first_; }
  Join* next_join() const noexcept { return next_join_; }
  // The scope the awaiting frame is in; null before it waits, and for a loop's root.
  Scope* outer() const noexcept { return parked() ? &scope() : nullptr; }
  virtual const char* kind() const noexcept = 0;

 protected:
  // Policy: called as each branch ends, before the join may end.
  virtual void on_end(Branch& branch) noexcept {}
  // Called when a branch that is racing is about to be woken.
  virtual void on_given(Branch& branch) noexcept {}
  // Asked when all have ended and the awaiting scope is cancelled: is there a result to deliver?
  virtual bool has_result() const noexcept = 0;
  virtual bool shielded() const noexcept { return false; }
  virtual std::int64_t own_deadline_ns() const noexcept { return TimerHeap::kNever; }

 private:
  friend class Branch;
  static bool abort(Suspension& self) noexcept;
  void add(Branch& branch, Loop& loop) noexcept;
  void remove(Branch& branch) noexcept;

  Branch* first_ = nullptr;
  Branch* last_ = nullptr;
  std::size_t running_ = 0;
  Join* previous_join_ = nullptr;
  Join* next_join_ = nullptr;
};

// A branch in the awaiting frame, whose result is taken when the join is over.
template <class T>
class BodyBranch final : public Branch {
 public:
  explicit BodyBranch(detail::Body<T> body) noexcept : Branch(detail::untyped(body.release())) {}

  bool has_value() const noexcept {
    return !was_cancelled() && (!abandoned_with_.ok() || promise().exception() == nullptr);
  }
  // What the body returned, or its exception. Requires that it was not cancelled.
  T take() {
    if constexpr (kCanBeAbandoned) {
      if (!abandoned_with_.ok()) return std::move(abandoned_with_);
    }
    return promise().take();
  }
  Outcome<Folded<T>> take_outcome() {
    if (was_cancelled()) return Outcome<Folded<T>>::cancelled(reason());
    if (!abandoned_with_.ok()) return Outcome<Folded<T>>::error(std::move(abandoned_with_));
    return detail::outcome_of(promise());
  }
  absl::Status failure() const noexcept override {
    if (was_cancelled()) return absl::OkStatus();
    if (!abandoned_with_.ok()) return abandoned_with_;
    if (const std::exception_ptr exception = promise().exception()) {
      return detail::exception_status(exception);
    }
    if constexpr (std::is_same_v<T, Folded<T>>) {
      return absl::OkStatus();
    } else {
      return detail::status_of(promise().value());
    }
  }

 private:
  static constexpr bool kCanBeAbandoned = !std::is_same_v<T, Folded<T>>;  // by Try

  detail::Promise<T>& promise() const noexcept {
    return std::coroutine_handle<detail::Promise<T>>::from_address(body().address()).promise();
  }
  Continuation complete() noexcept override {
    if constexpr (kCanBeAbandoned) {
      if (promise().abandoned()) [[unlikely]] {
        // The coroutine that failed is still on its way out, and part of what is to be destroyed:
        // control is transferred to let_go() first.
        run = &BodyBranch::let_go;
        return handle();
      }
    }
    return Branch::complete();
  }
  static void let_go(Runnable* self) noexcept {
    BodyBranch& branch = *static_cast<BodyBranch*>(self);
    if constexpr (kCanBeAbandoned) branch.abandoned_with_ = detail::status_of(branch.take());
    branch.destroy_body();
    const std::coroutine_handle<> next = branch.join()->branch_ended(branch).resolve();
    if (next) resume_soon(next);
  }

  absl::Status abandoned_with_;  // what a body that Try ended left
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_JOIN_H_
