#include "services/async/loop.h"

#include <time.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <memory>
#include <utility>

#include "absl/time/clock.h"
#include "services/async/ps.h"
#include "services/async/scope.h"
#include "services/async/task.h"
#include "services/async/transfer.h"

namespace fermata {
namespace {

constexpr std::int64_t kNever = TimerHeap::kNever;

std::int64_t saturating_add(std::int64_t a, std::int64_t b) noexcept {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return b > 0 ? kNever : 0;
  return sum;
}

struct PostedCall final : PostNode {
  explicit PostedCall(absl::AnyInvocable<void()> call) noexcept
      : PostNode(&PostedCall::call_and_delete), call(std::move(call)) {
    drop = [](PostNode& node) noexcept { delete static_cast<PostedCall*>(&node); };
  }
  static void call_and_delete(PostNode& node) noexcept {
    std::unique_ptr<PostedCall> self(static_cast<PostedCall*>(&node));
    self->call();
  }
  absl::AnyInvocable<void()> call;
};

// Adds the CPU time of one step to the task whose step it is. Checked builds only.
class CpuMeter {
 public:
  explicit CpuMeter(const Scope* scope) noexcept {
    if (!kChecked) return;
    task_ = task_of(scope);
    if (task_ == nullptr) return;
    task_->add_reference();
    begin_ns_ = now_ns();
  }
  CpuMeter(const CpuMeter&) = delete;
  ~CpuMeter() {
    if (!kChecked || task_ == nullptr) return;
    task_->cpu_time().add_ns(now_ns() - begin_ns_);
    task_->drop_reference();
  }

 private:
  static std::int64_t now_ns() noexcept {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec * 1'000'000'000 + time.tv_nsec;
  }
  TaskBase* task_ = nullptr;
  std::int64_t begin_ns_ = 0;
};

}  // namespace

Loop::Loop() : anchor_wall_(absl::Now()) { deliveries_.reserve(64); }

Loop::~Loop() {
  FERMATA_CHECK(idle(), "a loop was destroyed while frames were ready to run");
  drop_posted();
}

void Loop::post(absl::AnyInvocable<void()> call) { post(*new PostedCall(std::move(call))); }

void Loop::drop_posted() noexcept {
  PostNode* node = posts_.take();
  while (node != nullptr) {
    PostNode* next = node->next;
    if (node->drop != nullptr) node->drop(*node);
    node = next;
  }
}

absl::Time Loop::to_time(std::int64_t ns) const noexcept {
  if (ns == kNever) return absl::InfiniteFuture();
  return anchor_wall_ + absl::Nanoseconds(ns - anchor_ns_);
}

std::int64_t Loop::to_ns(absl::Time time) const noexcept {
  return saturating_add(anchor_ns_, absl::ToInt64Nanoseconds(time - anchor_wall_));
}

std::int64_t Loop::deadline_after(absl::Duration duration) noexcept {
  return saturating_add(now_ns(), absl::ToInt64Nanoseconds(duration));
}

LoopStats Loop::stats() const noexcept {
  LoopStats stats = stats_;
  stats.live_tasks = stats_.tasks_started - tasks_ended_;
  stats.ready = ring_.size();
  stats.timers = timers_.size();
  add_own_stats(stats);
  return stats;
}

void Loop::step(ReadyRing::Entry entry) noexcept {
  pulse_.store(++stats_.steps, std::memory_order_relaxed);
  budget_ = kStepBudget;
  running_ = entry.scope;
  const CpuMeter meter(entry.scope);
  entry.what.resume();
  detail::run_transfers(*this);
  running_ = nullptr;
}

void Loop::report_lingering(const std::vector<TaskInfo>& tasks) {
  if (tasks.empty()) return;
  if (linger_handler_) return linger_handler_(tasks);
  for (const TaskInfo& task : tasks) {
    std::fprintf(stderr, "task %s #%llu was cancelled and has not stopped; it waits at %s\n",
                 task.name.c_str(), static_cast<unsigned long long>(task.id), task.where.c_str());
  }
}

void Loop::shuffle_ready(std::size_t first) noexcept {
  for (std::size_t i = 1; i < std::min(first, ring_.size()); ++i) {
    ring_.swap(i, detail::checked_random(i + 1));
  }
}

std::size_t Loop::run_ready(std::size_t max_steps) noexcept {
  const std::size_t steps = std::min(ring_.size(), max_steps);
  for (std::size_t i = 0; i < steps; ++i) step(ring_.pop());
  ring_.trim();
  return steps;
}

std::size_t Loop::run_batches(std::size_t enough) noexcept {
  std::size_t done = 0;
  do {
    const std::size_t steps = std::min(ring_.size(), kTurnSteps);
    for (std::size_t i = 0; i < steps; ++i) step(ring_.pop());
    done += steps;
  } while (done < enough && !ring_.empty() && deliveries_.empty() && !main_task_->done());
  ring_.trim();
  return done;
}

std::size_t Loop::run_deliveries(std::size_t max) noexcept {
  std::size_t done = 0;
  // Unwinding one scope may queue the delivery of the scope around it: the list grows as it runs.
  while (delivered_ < deliveries_.size() && done < max) {
    Scope* scope = std::exchange(deliveries_[delivered_++], nullptr);
    if (scope == nullptr) continue;
    ++done;
    ++stats_.cancellations;
    pulse_.store(~stats_.cancellations, std::memory_order_relaxed);
    scope->delivery_ = 0;
    running_ = scope;
    scope->deliver();
    running_ = nullptr;
  }
  if (delivered_ == deliveries_.size()) {
    deliveries_.clear();
    delivered_ = 0;
  }
  return done;
}

std::size_t Loop::run_posted() noexcept {
  std::size_t calls = 0;
  PostNode* node = posts_.take();
  while (node != nullptr) {
    PostNode* next = node->next;  // run() may free the node
    pulse_.store(++stats_.steps, std::memory_order_relaxed);
    ++calls;
    node->run(*node);
    node = next;
  }
  stats_.posts += calls;
  return calls;
}

std::size_t Loop::fire_timers(std::size_t max) noexcept {
  const std::int64_t due = timers_.next_deadline_ns();
  if (due == kNever) return 0;
  const std::int64_t now = now_ns();
  if (due > now) return 0;
  const std::uint64_t lag_ns = static_cast<std::uint64_t>(now - due);
  const std::size_t bucket = static_cast<std::size_t>(std::bit_width(lag_ns / 1000));
  const std::size_t fired = timers_.fire_due(now, max);
  stats_.lag_buckets[std::min(bucket, LoopStats::kLagBuckets - 1)] += fired;
  stats_.lag_ns_sum += lag_ns * fired;
  stats_.timers_fired += fired;
  return fired;
}

}  // namespace fermata
