// RemoteCall: one attempt in a plugin's own process, seen from the server.
//
//   kNew ── start ──> kWaiting ── the process is ready ──> kRunning ── kFinish, or its end ──> gone
//             │          └── cancelled, or the breaker opens ──────────────────────────────> gone
//             └── the breaker is open ─────────────────────────────────────────────────────> gone
//   kRunning ── nobody waits any more, or too much output ──> kOver ── kFinish, or its end ──> gone
//
// The process enforces deadline and grace period as the server would (it runs the same StageCall).
// This side trusts it only so far: a cancelled call that is not finished a second after the grace
// period costs the process its life. Owned by its plugin; loop thread only.
#ifndef SERVICES_STAGES_ISOLATED_REMOTE_CALL_H_
#define SERVICES_STAGES_ISOLATED_REMOTE_CALL_H_

#include <cstdint>
#include <string_view>

#include "services/async/loop.h"
#include "services/stages/isolated/messages.h"
#include "services/stages/running_call.h"

namespace fermata {

class IsolatedPlugin;
class RemoteStage;

class RemoteCall final : public RunningCall {
 public:
  static constexpr int64_t kAfterGraceNs = 1'000'000'000;
  enum class State : uint8_t { kNew, kWaiting, kRunning, kOver };

  RemoteCall(RemoteStage& stage, Owner& owner, StageCallSpec spec);
  RemoteCall(const RemoteCall&) = delete;
  RemoteCall& operator=(const RemoteCall&) = delete;

  void start_now() noexcept override;
  void start_later() noexcept override;
  void cancel(uint32_t reason) noexcept override;
  void disown(uint32_t reason) noexcept override;
  void take_outcome(StageOutcome& outcome) override { outcome = std::move(outcome_); }
  fermata_status status() const noexcept override { return status_; }

  State state() const { return state_; }
  uint64_t number() const { return spec_.number; }
  const StageCallSpec& spec() const { return spec_; }
  const RemoteStage& stage() const { return stage_; }

  // Cancelled so that another version runs its job: its outcome says so.
  void preempt() noexcept {
    preempted_ = preempted_ || cancel_reason_ == 0;
    cancel(FERMATA_CANCEL_SHUTDOWN);
  }

  // From the plugin. What may free the call says so.
  void send_start();
  void process_ready();              // a waiting call goes
  void no_process(int64_t wait_ns);  // a waiting call ends; frees it
  void finished(EndMessage end);     // frees it
  void chunk(std::string_view bytes);
  void progress(const ProgressMessage& progress);
  void log(uint32_t level, std::string_view text);
  // The process is gone. Frees it if it was running.
  void lost(bool guilty, std::string_view how);

 private:
  struct OwnTimer : Timer {
    explicit OwnTimer(RemoteCall& call) noexcept : Timer(&RemoteCall::timer_fired), call(call) {}
    RemoteCall& call;
  };
  static void timer_fired(Timer& timer) noexcept;
  void timer_due() noexcept;
  void arm(int64_t deadline_ns);
  void tell(fermata_status status, StageResult result, StageOutcome outcome);
  void tell_cancelled();
  void too_much(size_t bytes);
  void watch_over_end();

  RemoteStage& stage_;
  Owner* owner_;
  StageCallSpec spec_;
  OwnTimer timer_{*this};
  StageOutcome outcome_;
  fermata_status status_ = FERMATA_PENDING;
  int64_t started_ns_ = 0;
  uint64_t chunk_bytes_ = 0;
  uint32_t cancel_reason_ = 0;
  State state_ = State::kNew;
  bool counted_ = false;
  bool preempted_ = false;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_ISOLATED_REMOTE_CALL_H_
