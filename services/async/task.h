// Task<T>: a coroutine that runs beside its creator. Made by TaskGroup::spawn, listed by ps().
//
// One pooled control block holds the stored arguments, the scope, the outcome, the name and the
// list of those who join. The group holds a reference while the task runs, and each handle one:
// dropping a handle never cancels, since the group owns the work. The frame, and the arguments, are
// destroyed as soon as the task ends; the outcome stays until the last handle goes.
//
// state      owner of the body      who may end it
// queued     the block              the loop: starts it, or drops it unstarted when cancelled
// running    the block              the body (returns), or the loop (unwinds)
// done       nobody: destroyed      -
#ifndef SERVICES_ASYNC_TASK_H_
#define SERVICES_ASYNC_TASK_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

#include "services/async/awaitable.h"
#include "services/async/callable.h"
#include "services/async/join.h"

namespace fermata {

class TaskGroup;
template <class T>
class Task;

class TaskBase : public Branch {
 public:
  bool done() const noexcept { return done_; }
  std::uint64_t id() const noexcept { return id_; }
  // The name it was given, or its function's.
  std::string_view name() const noexcept;
  const TaskBase* as_task() const noexcept final { return this; }

  void cancel(CancelReason reason) noexcept {
    if (!done_) request(reason);
  }
  void add_reference() noexcept { ++references_; }
  void drop_reference() noexcept {
    if (--references_ == 0) delete_block();
  }
  bool last_reference() const noexcept { return references_ == 1; }
  const detail::CpuTime<kChecked>& cpu_time() const noexcept { return cpu_time_; }
  detail::CpuTime<kChecked>& cpu_time() noexcept { return cpu_time_; }

  // A coroutine waiting for the end of a task: in its ring of joiners, first come first served.
  class Joiner : public Suspension {
   public:
    // Holds the task: its handles may go while it is awaited.
    explicit Joiner(TaskBase& task) noexcept : Suspension(&Joiner::leave), task_(&task) {
      task.add_reference();
    }
    ~Joiner() {
      if (next_ != nullptr) task_->remove_joiner(*this);
      task_->drop_reference();
    }
    bool await_ready() const noexcept { return task_->done() && Loop::current().spend_budget(); }
    template <class P>
    void await_suspend(std::coroutine_handle<P> frame,
                       std::uint32_t line = __builtin_LINE()) noexcept {
      frame.promise().line = line;
      task_->check_not_awaited_by(*frame.promise().scope);
      if (!park(detail::untyped(frame))) return;
      if (task_->done()) return wake();
      task_->add_joiner(*this);
    }

   protected:
    friend class TaskBase;
    static bool leave(Suspension& self) noexcept;
    TaskBase* task_;

   private:
    Joiner* previous_ = nullptr;
    Joiner* next_ = nullptr;  // null: in no ring
  };

 protected:
  friend class TaskGroup;
  // `name` must have been written behind the block by operator new.
  explicit TaskBase(std::string_view name);
  void adopt(FrameHandle body) noexcept { set_body(body); }
  ~TaskBase();

  // Block and name in one piece of memory.
  static void* allocate(std::size_t block, std::string_view name) noexcept;
  static void free(void* memory, std::size_t block, bool named) noexcept;
  bool named() const noexcept { return named_; }

  Continuation complete() noexcept final;  // lets the body go first, then finish()
  void unwind() noexcept final;
  // Stores the outcome; destroys the body and the arguments.
  virtual void settle() noexcept = 0;
  virtual void delete_block() noexcept = 0;
  virtual std::size_t block_size() const noexcept = 0;

 private:
  void finish() noexcept;
  Joiner* end() noexcept;  // settles, and returns those to wake
  void add_joiner(Joiner& joiner) noexcept;
  void remove_joiner(Joiner& joiner) noexcept;
  void check_not_awaited_by(const Scope& scope) const noexcept;
  void drop_unstarted(CancelReason reason) noexcept;  // for spawn into a closed group

  // Small: a million tasks may sleep at once. The name is behind the block, or the function's.
  std::uint64_t id_;
  union {
    Joiner* joiners_ = nullptr;  // until it is done
    const char* function_;       // from then on
  };
  std::uint32_t references_ = 1;
  [[no_unique_address]] detail::CpuTime<kChecked> cpu_time_;
};

// The task that the frames of `scope` are part of; null for a scope of the loop's owner.
TaskBase* task_of(const Scope* scope) noexcept;

namespace detail {

template <class T>
class TaskState : public TaskBase {
 public:
  virtual Outcome<T>& outcome() noexcept = 0;  // requires done()
  // For one who gives up its reference: moved, unless somebody else may still look at it.
  Outcome<T> take_outcome() {
    if constexpr (std::is_copy_constructible_v<Outcome<T>>) {
      if (!this->last_reference()) return outcome();
    }
    return std::move(outcome());
  }

 protected:
  using TaskBase::TaskBase;
  ~TaskState() = default;
};

// R is what the coroutine returns, T = Folded<R> what the task is for.
template <class R, class Arguments>
class TaskBlock final : public TaskState<Folded<R>> {
  static_assert(alignof(Arguments) <= 16, "an argument of a task may not be over-aligned");
  using O = Outcome<Folded<R>>;

 public:
  template <class F, class... A>
  explicit TaskBlock(std::string_view name, F fn, A&&... args)
      : TaskState<Folded<R>>(name), arguments_(std::forward<A>(args)...) {
    try {
      this->adopt(untyped(arguments_.start(fn).release()));
    } catch (...) {  // a parameter threw: it was never a task
      std::destroy_at(&arguments_);
      throw;
    }
  }

  static void* operator new(std::size_t bytes, std::string_view name) noexcept {
    return TaskBase::allocate(bytes, name);
  }
  static void operator delete(void* block, std::string_view name) noexcept {
    TaskBase::free(block, sizeof(TaskBlock), !name.empty());
  }
  static void operator delete(TaskBlock* block, std::destroying_delete_t) noexcept {
    const bool named = block->named();
    std::destroy_at(block);
    TaskBase::free(block, sizeof(TaskBlock), named);
  }

  ~TaskBlock() { std::destroy_at(&outcome_); }

 private:
  O& outcome() noexcept override { return outcome_; }
  absl::Status failure() const noexcept override {
    return outcome_.cancelled() ? absl::OkStatus() : outcome_.status();
  }
  // The arguments outlive the body, and make room for the outcome.
  void settle() noexcept override {
    O outcome = end_of_body();
    this->destroy_body();
    std::destroy_at(&arguments_);
    std::construct_at(&outcome_, std::move(outcome));
  }
  O end_of_body() {
    if (this->was_cancelled()) return O::cancelled(this->reason());
    using Handle = std::coroutine_handle<Promise<R>>;
    return outcome_of(Handle::from_address(this->body().address()).promise());
  }
  void delete_block() noexcept override { delete this; }
  std::size_t block_size() const noexcept override { return sizeof(TaskBlock); }

  union {
    Arguments arguments_;  // until settle(), for parameters that are references
    O outcome_;            // from then on; a block is only deleted after it
  };
};

}  // namespace detail

template <class T>
class Task {
 public:
  Task() noexcept = default;
  Task(Task&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  Task(const Task& other) noexcept : state_(other.state_) {
    if (state_ != nullptr) state_->add_reference();
  }
  Task& operator=(Task other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~Task() {
    if (state_ != nullptr) state_->drop_reference();
  }

  explicit operator bool() const noexcept { return state_ != nullptr; }

  // Requests; idempotent; never runs user code inline. Awaiting the task tells when it has ended.
  void cancel(CancelReason why = CancelReason::kRequested) const noexcept { state().cancel(why); }
  bool done() const noexcept { return state().done(); }
  const Outcome<T>& outcome() const {
    FERMATA_CHECK(done(), "outcome() of a task that has not ended; co_await it");
    return state().outcome();
  }
  std::string_view name() const noexcept { return state().name(); }
  std::uint64_t id() const noexcept { return state().id(); }

  // Joins. Wakes when the task has ended. On cancel: only the waiting ends, the task goes on.
  // On shutdown: the task is cancelled by its group, and the joiner by its own.
  class Join : public TaskBase::Joiner {
   public:
    explicit Join(detail::TaskState<T>& state) noexcept : Joiner(state) {}
    const Outcome<T>& await_resume() const noexcept {
      return static_cast<detail::TaskState<T>*>(task_)->outcome();
    }
  };
  class OwningJoin : public TaskBase::Joiner {
   public:
    explicit OwningJoin(Task task) noexcept : Joiner(task.state()) {}
    Outcome<T> await_resume() { return static_cast<detail::TaskState<T>*>(task_)->take_outcome(); }
  };
  Join operator co_await() const& noexcept { return Join(state()); }
  OwningJoin operator co_await() && noexcept { return OwningJoin(std::move(*this)); }

 private:
  friend class TaskGroup;
  explicit Task(detail::TaskState<T>* state) noexcept : state_(state) {}  // takes the reference
  detail::TaskState<T>& state() const noexcept {
    FERMATA_CHECK(state_ != nullptr, "this Task handle is empty");
    return *state_;
  }
  detail::TaskState<T>* state_ = nullptr;
};

namespace detail {

// timeout(limit, task), scope.run(task), …: what ends early is the waiting; the task goes on.
template <class T>
struct HandleTraits<Task<T>> {
  using result = OrStatus<T>;
  static Co<result> wait(Task<T> task) {
    Outcome<T> outcome = co_await std::move(task);
    co_return to_result(std::move(outcome));
  }
};

}  // namespace detail
}  // namespace fermata

#endif  // SERVICES_ASYNC_TASK_H_
