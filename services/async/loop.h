// Loop: one thread's event loop, as the rest of the core sees it.
//
// The hot parts are here and inline: the ready ring, the timer heap, the list of cancellations to
// deliver, the clock. What differs between loops is virtual and cold: waiting for descriptors,
// handing work to threads, waking from another thread, reading the clock. Three loops exist:
// EpollLoop (the real one), SimLoop (virtual time, seeded order) and the plugin loop of the SDK.
//
// A turn is: deliver cancellations (at most kTurnDeliveries), run what was ready when the turn
// began (at most kTurnSteps), then look at posts, timers (at most kTurnTimers) and descriptors. So
// nobody is starved, and the clock and the kernel are asked once per turn, not per step. A step may
// not block; a leaf operation that never has to wait yields after kStepBudget successes in a row.
//
// Everything is called on the loop's own thread, except post().
#ifndef SERVICES_ASYNC_LOOP_H_
#define SERVICES_ASYNC_LOOP_H_

#include <array>
#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "services/async/check.h"
#include "services/async/checked.h"
#include "services/async/post_queue.h"
#include "services/async/ready_ring.h"
#include "services/async/timer_heap.h"

namespace fermata {

class Borrower;
class Join;
class Network;
class Scope;
class TaskBase;
struct TaskInfo;

// Plain counters of one loop, read on its thread (post a callback to read them from another).
struct LoopStats {
  // lag_buckets[i] counts timers that fired less than 2^i microseconds late; the last one the rest.
  static constexpr std::size_t kLagBuckets = 24;
  std::array<std::uint64_t, kLagBuckets> lag_buckets{};
  std::uint64_t lag_ns_sum = 0;
  std::uint64_t turns = 0;          // rounds of the loop
  std::uint64_t steps = 0;          // resumptions of coroutines and callbacks
  std::uint64_t tasks_started = 0;  // spawned since the loop began
  std::uint64_t timers_fired = 0;
  std::uint64_t posts = 0;          // callbacks that arrived from outside
  std::uint64_t wakeups = 0;        // times the loop waited in the kernel
  std::uint64_t wake_writes = 0;    // times another thread woke it there; at most once per wait
  std::uint64_t cancellations = 0;  // deliveries
  std::uint64_t batched_sends = 0;  // begun with send_soon()
  std::uint64_t offloads = 0;       // calls handed to threads
  std::uint64_t offloads_here = 0;  // of these, run on the loop's thread: no thread could be made
  std::int64_t busy_ns = 0;         // time not spent waiting
  std::int64_t idle_ns = 0;         // time spent waiting
  std::int64_t busy_poll_ns = 0;    // of it, looking again and again: busy_poll()
  std::size_t live_tasks = 0;       // spawned and not ended
  std::size_t ready = 0;            // waiting to run now
  std::size_t timers = 0;           // armed now
  std::size_t watched_fds = 0;      // waits for a descriptor now
};

// A frame's wait for a descriptor, or for bytes that it sends. In the awaiting frame; linked into
// the loop's table.
struct IoWatch {
  enum class Interest : std::uint8_t { kRead, kWrite };
  // kOneShot: asks the kernel now. For any descriptor, whoever closes it, whenever.
  // kEdge: waits for news since the last such wait. Cheap, but only for a Descriptor, which tells
  // the loop before it closes, and only after a call said EAGAIN or moved less than it was asked
  // to.
  // kSend: what Loop::send_soon() began.
  enum class Mode : std::uint8_t { kOneShot, kEdge, kSend };
  using Fired = void (*)(IoWatch&) noexcept;
  IoWatch(int fd, Interest interest, Fired fired, Mode mode = Mode::kOneShot) noexcept
      : fd(fd), interest(interest), mode(mode), fired(fired) {}
  int fd;
  Interest interest;
  Mode mode;
  int error = 0;            // when fired: an errno if the wait failed, EBADF: it was closed
  std::int32_t sent = 0;    // when fired, kSend: how many bytes the kernel took
  Fired fired;              // called once, on the loop thread, after the loop unlinked the watch
  IoWatch* next = nullptr;  // the loop's own
  std::uint64_t token = 0;  // the loop's own
};

// A call to be made on another thread. In the awaiting frame, pinned until done or withdrawn.
struct OffloadJob : PostNode {
  using Work = void (*)(OffloadJob&) noexcept;
  OffloadJob(Work work, PostNode::Run done) noexcept : PostNode(done), work(work) {}
  Work work;                       // on a pool thread; afterwards the node itself is posted back
  OffloadJob* previous = nullptr;  // the pool's own, with PostNode::next
  std::uint64_t token = 0;         // the loop's own
};

class Loop {
 public:
  static constexpr std::size_t kTurnSteps = 256;
  static constexpr std::size_t kTurnDeliveries = 256;
  static constexpr std::size_t kTurnTimers = 256;
  static constexpr std::uint32_t kStepBudget = 128;

  Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  virtual ~Loop();

  static Loop& current() noexcept {
    FERMATA_CHECK(current_ != nullptr, "this must be called on a loop's own thread, inside run()");
    return *current_;
  }
  static Loop* current_or_null() noexcept { return current_; }

  // Monotonic; read at most once per step, so all of a step sees one time.
  std::int64_t now_ns() noexcept {
    if (clock_step_ != stats_.steps) refresh_clock();
    return now_ns_;
  }
  // The same clock, anchored to the wall clock when the loop was made: it never jumps.
  absl::Time now() noexcept { return to_time(now_ns()); }
  absl::Time to_time(std::int64_t ns) const noexcept;
  std::int64_t to_ns(absl::Time time) const noexcept;             // saturates
  std::int64_t deadline_after(absl::Duration duration) noexcept;  // saturates; kNever if infinite

  // Runs `call` on the loop thread, after what is ready now. Any thread, also before and after
  // run(): what was never run is dropped with the loop, which must outlive the call to post().
  void post(PostNode& node) noexcept {
    if (posts_.push(node)) wake_from_sleep();
  }
  void post(absl::AnyInvocable<void()> call);

  LoopStats stats() const noexcept;
  // What waits under this loop: "epoll", "io_uring", "simulated", "plugin".
  virtual const char* kind() const noexcept = 0;

  // For a watchdog, from any thread: changes with every step; and whether the loop waits in the
  // kernel, where no step can take too long.
  std::uint64_t pulse() const noexcept { return pulse_.load(std::memory_order_relaxed); }
  bool asleep() const noexcept { return posts_.asleep(); }

  // What is told of tasks that were cancelled and have not stopped in time: to stderr, unless there
  // is a handler. On the loop's thread.
  using LingerHandler = absl::AnyInvocable<void(const std::vector<TaskInfo>&)>;
  void set_linger_handler(LingerHandler handler) { linger_handler_ = std::move(handler); }
  void report_lingering(const std::vector<TaskInfo>& tasks);

  // ---- for the primitives
  // `scope` is the one the frame is in; for a Runnable, whose turn it will be, if anybody's.
  void ready(std::coroutine_handle<> frame, Scope& scope) noexcept { ring_.push(frame, &scope); }
  void ready(Runnable& runnable, Scope* scope = nullptr) noexcept {
    ring_.push(runnable.handle(), scope);
  }
  // Whose frames run now; null between steps and in callbacks.
  Scope* running() const noexcept { return running_; }
  void set_running(Scope* scope) noexcept { running_ = scope; }
  TimerHeap& timers() noexcept { return timers_; }
  // False once per kStepBudget calls within one step: the operation should yield first.
  static bool spend_budget() noexcept { return !kChecked && budget_ != 0 && budget_-- != 0; }
  std::uint64_t next_task_id() noexcept { return ++stats_.tasks_started; }
  void task_ended() noexcept { ++tasks_ended_; }
  // Trampoline builds only (transfer.h): what runs when the current coroutine has let go.
  std::coroutine_handle<> next_transfer = nullptr;

  // Starts watching; returns 0, or an errno: EPERM for a descriptor that is always ready (a file),
  // EALREADY for one whose readiness was remembered (kEdge). Then nothing is watched: try the call.
  virtual int watch(IoWatch& watch) noexcept = 0;
  virtual void unwatch(IoWatch& watch) noexcept = 0;
  // send(2), without waiting, when this loop next enters the kernel: together with all that is sent
  // until then, for one system call. The bytes must stay until the watch fires or is unwatched.
  // False: this loop does not do that, or not for so many bytes; nothing has begun.
  virtual bool send_soon(IoWatch& /*watch*/, std::string_view /*bytes*/) noexcept { return false; }
  // Whether it is worth asking.
  bool batches_sends() const noexcept { return batches_sends_; }
  // Something is expected within `ns`, from somebody who answers at once: until then a loop that
  // has nothing to do looks again and again instead of sleeping, since to be woken may take longer
  // than the answer. It costs CPU time, offered to other threads between two looks; a loop that
  // has one CPU only, for all threads, does not do it.
  virtual void busy_poll(std::int64_t /*ns*/) noexcept {}
  // The owner of a descriptor that was watched with kEdge is about to close it: who still waits for
  // it is fired with EBADF, and nothing of it is remembered when its number comes again.
  virtual void forget(int /*fd*/) noexcept {}
  // A call is about to be tried on such a descriptor: that answers the news so far.
  virtual void clear_news(int /*fd*/, IoWatch::Interest /*interest*/) noexcept {}
  virtual void offload(OffloadJob& job) noexcept = 0;
  // True: the job had not begun and never will. False: it is running, or done and on its way back.
  virtual bool withdraw(OffloadJob& job) noexcept = 0;

  std::uint32_t add_delivery(Scope& scope) noexcept {
    deliveries_.push_back(&scope);
    return static_cast<std::uint32_t>(deliveries_.size());
  }
  void drop_delivery(std::uint32_t delivery) noexcept { deliveries_[delivery - 1] = nullptr; }

  // What listen() and connect() use instead of the kernel's sockets (net/network.h), if anything.
  Network* network = nullptr;
  // Joins (groups, gathers, …) that exist now; ps() walks them.
  Join* first_join = nullptr;
  // Cancelled waits that want a lock back before they go (loan.h).
  Borrower* first_borrower = nullptr;

 protected:
  // While one exists, its loop is current() on this thread.
  class Entered {
   public:
    explicit Entered(Loop& loop) noexcept : previous_(current_) { current_ = &loop; }
    Entered(const Entered&) = delete;
    ~Entered() { current_ = previous_; }

   private:
    Loop* previous_;
  };

  virtual std::int64_t read_clock_ns() noexcept = 0;
  // Any thread: the loop fell asleep in the kernel (posts_.fall_asleep()) and a post has arrived.
  virtual void wake_from_sleep() noexcept = 0;

  virtual void add_own_stats(LoopStats& /*stats*/) const noexcept {}

  // The pieces a turn is made of.
  void run_deliveries() noexcept {  // until none is left
    while (!deliveries_.empty()) run_deliveries(deliveries_.size());
  }
  std::size_t run_deliveries(std::size_t max) noexcept;   // the oldest ones
  std::size_t run_ready(std::size_t max_steps) noexcept;  // at most what was ready at the start
  // The same again and again, until `enough` steps were done, nothing is ready, a cancellation is
  // to be delivered, or the main task has ended.
  std::size_t run_batches(std::size_t enough) noexcept;
  void shuffle_ready(std::size_t first) noexcept;  // for checked builds
  std::size_t run_posted() noexcept;
  std::size_t fire_timers(std::size_t max = TimerHeap::kAll) noexcept;  // those due at now_ns()
  bool idle() const noexcept { return ring_.empty() && deliveries_.empty(); }
  std::int64_t next_deadline_ns() const noexcept { return timers_.next_deadline_ns(); }
  void refresh_clock() noexcept {
    clock_step_ = stats_.steps;
    now_ns_ = read_clock_ns();
  }
  void anchor_clock(absl::Time wall, std::int64_t ns) noexcept {
    anchor_wall_ = wall;
    anchor_ns_ = ns;
  }
  void step(ReadyRing::Entry entry) noexcept;
  void drop_posted() noexcept;

  bool batches_sends_ = false;
  ReadyRing ring_;
  const TaskBase* main_task_ = nullptr;  // what run() runs; null outside
  PostQueue posts_;
  LoopStats stats_;

 private:
  static inline constinit thread_local Loop* current_ = nullptr;
  // Of the step that runs on this thread. Not in the loop, so that a queue need not find the loop
  // to learn that it may go on.
  static inline constinit thread_local std::uint32_t budget_ = 0;

  TimerHeap timers_;
  std::vector<Scope*> deliveries_;
  std::size_t delivered_ =
      0;  // of them; scopes know their index, so the list is emptied at its end
  Scope* running_ = nullptr;
  std::atomic<std::uint64_t> pulse_{0};
  LingerHandler linger_handler_;
  std::uint64_t clock_step_ = ~std::uint64_t{0};
  std::int64_t now_ns_ = 0;
  std::uint64_t tasks_ended_ = 0;
  absl::Time anchor_wall_;
  std::int64_t anchor_ns_ = 0;
};

inline void Timer::disarm() noexcept { Loop::current().timers().disarm(*this); }

// The loop's time, now.
inline absl::Time now() noexcept { return Loop::current().now(); }

}  // namespace fermata

#endif  // SERVICES_ASYNC_LOOP_H_
