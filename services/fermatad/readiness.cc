#include "services/fermatad/readiness.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "services/config/str_cat.h"
#include "services/fermatad/log.h"

namespace fermata {
namespace {

// A loop that was late is trusted again after so many good looks.
constexpr int kGoodLooks = 4;

int64_t steady_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

// Judged while it exists.
class Readiness::Beating {
 public:
  explicit Beating(std::atomic<int64_t>& beat_ns) : beat_ns_(beat_ns) {}
  Beating(const Beating&) = delete;
  ~Beating() { beat_ns_.store(0, std::memory_order_relaxed); }

 private:
  std::atomic<int64_t>& beat_ns_;
};

Readiness::Readiness(absl::Duration late, Tell tell)
    : late_(late), period_(late / 4), tell_(std::move(tell)), thread_([this] { look(); }) {}

Readiness::~Readiness() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ending_ = true;
  }
  ending_changed_.notify_all();
  thread_.join();
}

void Readiness::set(Reason reason, bool holds) {
  const std::lock_guard<std::mutex> lock(mutex_);
  holds_[static_cast<size_t>(reason)] = holds;
  const bool ready = std::none_of(holds_.begin(), holds_.end(), [](bool one) { return one; });
  if (ready == ready_) return;
  ready_ = ready;
  tell_(ready);
}

Co<absl::Status> Readiness::beat() {
  const Beating judged(beat_ns_);
  for (;;) {
    beat_ns_.store(steady_ns(), std::memory_order_relaxed);
    co_await sleep(period_);
  }
}

void Readiness::look() {
  bool late = false;
  int good = 0;
  std::unique_lock<std::mutex> lock(mutex_);
  while (!ending_changed_.wait_for(lock, absl::ToChronoNanoseconds(period_),
                                   [this] { return ending_; })) {
    lock.unlock();
    const int64_t beat = beat_ns_.load(std::memory_order_relaxed);
    const absl::Duration lag =
        beat == 0 ? absl::ZeroDuration() : absl::Nanoseconds(steady_ns() - beat) - period_;
    good = lag <= late_ / 2 ? good + 1 : 0;
    if (!late && lag > late_) {
      late = true;
      log_error(str_cat("not ready: the loop is late by ", absl::FormatDuration(lag)));
      set(Reason::kLoopLate, true);
    } else if (late && good >= kGoodLooks) {
      late = false;
      log_info("ready: the loop is in time again");
      set(Reason::kLoopLate, false);
    }
    lock.lock();
  }
}

}  // namespace fermata
