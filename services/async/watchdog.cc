#include "services/async/watchdog.h"

#include <errno.h>
#include <ucontext.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "absl/debugging/stacktrace.h"
#include "absl/debugging/symbolize.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/async/check.h"
#include "services/async/task.h"

namespace fermata {
namespace {

// How long the loop's thread may take to answer the signal.
constexpr std::chrono::milliseconds kAnswer{500};

int stall_signal() noexcept { return SIGRTMIN + 3; }

// As a return address: one byte behind the instruction.
void* interrupted_at(void* context) noexcept {
#if defined(__x86_64__)
  const auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  return reinterpret_cast<void*>(registers[REG_RIP] + 1);
#else
  return nullptr;
#endif
}

std::string name_of(void* address) {
  char name[256];
  // A return address is behind its call: one byte back is inside it.
  if (absl::Symbolize(static_cast<char*>(address) - 1, name, sizeof(name))) return name;
  return absl::StrCat("0x", absl::Hex(reinterpret_cast<std::uintptr_t>(address)));
}

}  // namespace

std::string Watchdog::Report::to_string() const {
  std::string text = absl::StrCat("the loop has been blocked for ", absl::FormatDuration(blocked),
                                  task.empty() ? " by a callback" : " by task ", task,
                                  "; move blocking calls to offload()");
  for (const std::string& frame : stack) absl::StrAppend(&text, "\n  at ", frame);
  return text;
}

Watchdog::Watchdog(Options options, Reporter reporter)
    : options_(options),
      reporter_(std::move(reporter)),
      loop_thread_(pthread_self()),
      detector_(options.threshold, options.reports_per_minute) {
  capture_.loop = &Loop::current();
  install_handler();
  thread_ = std::thread([this] { watch(); });
}

Watchdog::~Watchdog() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ending_ = true;
  }
  ended_.notify_all();
  thread_.join();
  // A signal that was not answered in time may still be on its way to this thread: it must not find
  // the capture gone.
  if (!interruptible_) capture_.taken.acquire();
}

void Watchdog::install_handler() {
  static const bool installed = [] {
    void* frame = nullptr;
    absl::GetStackTrace(&frame, 1, 0);  // what it loads on its first call is not for a handler
    absl::InitializeSymbolizer(nullptr);
    struct sigaction action = {};
    action.sa_sigaction = &Watchdog::handle;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    sigemptyset(&action.sa_mask);
    return sigaction(stall_signal(), &action, nullptr) == 0;
  }();
  FERMATA_CHECK(installed, "the signal of the watchdog cannot be handled");
}

// On the loop's thread, in the middle of anything: no allocation, no lock.
void Watchdog::handle(int, siginfo_t* info, void* context) noexcept {
  if (info->si_code != SI_QUEUE) return;
  const int saved_errno = errno;
  Capture& capture = *static_cast<Capture*>(info->si_value.sival_ptr);
  int dropped = 0;
  // The chain of frames begins with the caller of what was interrupted; that itself is in the
  // context only.
  capture.frames[0] = interrupted_at(context);
  capture.frame_count =
      1 + static_cast<std::size_t>(absl::GetStackTraceWithContext(
              capture.frames.data() + 1, static_cast<int>(kFrames) - 1, 1, context, &dropped));
  capture.task.fill('\0');
  if (const TaskBase* task = task_of(capture.loop->running())) {
    const std::string_view name = task->name();
    std::memcpy(capture.task.data(), name.data(), std::min(name.size(), kNameBytes - 1));
  }
  capture.taken.release();
  errno = saved_errno;
}

void Watchdog::watch() {
  const auto period = absl::ToChronoNanoseconds(options_.threshold / 4);
  std::unique_lock<std::mutex> lock(mutex_);
  while (!ended_.wait_for(lock, period, [this] { return ending_; })) {
    const std::optional<absl::Duration> blocked =
        detector_.observe(capture_.loop->pulse(), capture_.loop->asleep(), absl::Now());
    stalls_.store(detector_.stalls(), std::memory_order_relaxed);
    if (!blocked) continue;
    lock.unlock();
    reporter_(interrupt(*blocked));
    lock.lock();
  }
}

Watchdog::Report Watchdog::interrupt(absl::Duration blocked) {
  Report report;
  report.blocked = blocked;
  if (!interruptible_ && !capture_.taken.try_acquire()) return report;  // still unanswered
  interruptible_ = false;
  sigval value;
  value.sival_ptr = &capture_;
  if (pthread_sigqueue(loop_thread_, stall_signal(), value) != 0) {
    interruptible_ = true;
    return report;
  }
  if (!capture_.taken.try_acquire_for(kAnswer)) return report;
  interruptible_ = true;
  report.task = capture_.task.data();
  for (std::size_t i = 0; i < capture_.frame_count; ++i) {
    report.stack.push_back(name_of(capture_.frames[i]));
  }
  return report;
}

}  // namespace fermata
