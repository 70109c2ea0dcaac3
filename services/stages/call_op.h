// CallOp: one thing a plugin waits for: a timer, a descriptor, a thread, a sub-stage, credit, a
// wake-up.
//
// Made when the host accepts an op, owned by its StageCall, gone once its one event has been
// delivered:
//
//   pending -- complete() --> completed -- the call delivers `event` --> destroyed
//      \-- stop(): ended at once, or in flight: then it completes by itself later
//
// Loop thread only.
#ifndef SERVICES_STAGES_CALL_OP_H_
#define SERVICES_STAGES_CALL_OP_H_

#include <cstddef>
#include <cstdint>

#include "plugins/abi/fermata_abi.h"
#include "services/async/frame_pool.h"
#include "services/async/loop.h"

namespace fermata {

class StageCall;

class CallOp {
 public:
  CallOp(StageCall& call, uint32_t kind, uint64_t token, uint32_t flags) noexcept;
  CallOp(const CallOp&) = delete;
  CallOp& operator=(const CallOp&) = delete;
  virtual ~CallOp() = default;

  static void* operator new(size_t bytes) noexcept { return fermata_frame_alloc(bytes); }
  static void operator delete(void* op, size_t bytes) noexcept { fermata_frame_free(op, bytes); }

  // Ends it now. False: it is in flight and completes by itself later, with E_CANCELLED.
  virtual bool stop() noexcept { return true; }

  StageCall& call() const noexcept { return call_; }
  uint64_t token() const noexcept { return event.token; }
  bool shielded() const noexcept { return (flags_ & FERMATA_OP_SHIELD) != 0; }

  fermata_event event{};
  bool completed = false;
  CallOp* next = nullptr;  // in the call's list of completed ops

 private:
  StageCall& call_;
  uint32_t flags_;
};

class TimerOp final : public CallOp {
 public:
  TimerOp(StageCall& call, uint64_t token, uint32_t flags) noexcept
      : CallOp(call, FERMATA_EV_TIMER, token, flags), timer_(*this) {}
  void arm(Loop& loop, int64_t deadline_ns) { loop.timers().arm(timer_, deadline_ns); }
  bool stop() noexcept override;

 private:
  struct OwnTimer : Timer {
    explicit OwnTimer(TimerOp& op) noexcept : Timer(&TimerOp::fired), op(op) {}
    TimerOp& op;
  };
  static void fired(Timer& timer) noexcept;
  OwnTimer timer_;
};

// One or both directions of a descriptor; the first that is ready completes it.
class FdOp final : public CallOp {
 public:
  FdOp(StageCall& call, uint64_t token, uint32_t flags, int fd) noexcept;
  ~FdOp() override;
  // Zero, or the errno of a descriptor that cannot be watched.
  int watch(Loop& loop, bool read, bool write) noexcept;
  bool stop() noexcept override;

 private:
  struct OwnWatch : IoWatch {
    OwnWatch(FdOp& op, int fd, Interest interest) noexcept
        : IoWatch(fd, interest, &FdOp::fired), op(op) {}
    FdOp& op;
    bool watching = false;
  };
  static void fired(IoWatch& watch) noexcept;
  int watch_one(OwnWatch& watch) noexcept;
  OwnWatch read_;
  OwnWatch write_;
  Loop* loop_ = nullptr;
};

class BlockingOp final : public CallOp {
 public:
  // `state`: the plugin's own, as it is now.
  BlockingOp(StageCall& call, uint64_t token, uint32_t flags, void* state) noexcept;
  void begin(Loop& loop) noexcept;
  bool stop() noexcept override;

 private:
  struct Job : OffloadJob {
    explicit Job(BlockingOp& op) noexcept
        : OffloadJob(&BlockingOp::work, &BlockingOp::done), op(op) {}
    BlockingOp& op;
  };
  static void work(OffloadJob& job) noexcept;
  static void done(PostNode& node) noexcept;
  Job job_;
  void* state_;
  bool running_ = false;
  fermata_status returned_ =
      FERMATA_E_INTERNAL;  // written by the worker, read after it was posted back
};

// Credit and wakes: nothing to stop.
class PlainOp final : public CallOp {
 public:
  using CallOp::CallOp;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_CALL_OP_H_
