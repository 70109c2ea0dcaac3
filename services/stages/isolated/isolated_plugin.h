// IsolatedPlugin: one version of one plugin in a process of its own, over all the processes it
// takes.
//
//   start() ─> starting ─> loaded ── create() ─> creating ─> ready ─┐   a process that dies:
//                 ↑                                  ↑              │   its calls are lost
//                 │                                  └── restarted ─┤
//                 └────────────── backing off <─────────────────────┤   calls wait
//                                 breaker open <────────────────────┤   calls are told to come
//                                 later
//                                 disabled <────────────────────────┘   likewise, and nothing is
//                                                                       started any more
//   any ── close() ─> closing ─> ended
//
// A process that dies before it was ever ready ends it: the file is refused. Afterwards it is
// started again, with the same library and the same configuration, until close(). A frame that this
// state machine does not expect costs the process its life: the code in it is a stranger's. Loop
// thread only, inside run(); closed before it is destroyed.
#ifndef SERVICES_STAGES_ISOLATED_ISOLATED_PLUGIN_H_
#define SERVICES_STAGES_ISOLATED_ISOLATED_PLUGIN_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/random/random.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/async.h"
#include "services/stages/isolated/plugin_process.h"
#include "services/stages/isolated/remote_call.h"
#include "services/stages/isolated/remote_stage.h"
#include "services/stages/isolated/restart_policy.h"
#include "services/stages/isolated/sub_calls.h"
#include "services/stages/log_limit.h"
#include "services/stages/process_stats.h"
#include "services/stages/stage_instance.h"

namespace fermata {

class IsolatedPlugin final : private PluginProcess::Owner {
 public:
  static constexpr absl::Duration kStartMax = absl::Seconds(60);
  static constexpr absl::Duration kStartAgain = absl::Seconds(5);  // when no process could be made

  enum class State : uint8_t {
    kNew,
    kStarting,
    kLoaded,
    kCreating,
    kReady,
    kBackingOff,
    kBreakerOpen,
    kDisabled,
    kClosing,
    kEnded,
  };

  // What calls are told to wait for one that is disabled: until somebody does something about it.
  static constexpr absl::Duration kDisabledWait = absl::Minutes(10);

  // `host` and `stats` outlive it; `stats` is shared by all versions of the plugin.
  IsolatedPlugin(HostContext& host, PluginProcessOptions options, RestartLimits restart,
                 std::string label, std::shared_ptr<ProcessStats> stats);
  IsolatedPlugin(const IsolatedPlugin&) = delete;
  IsolatedPlugin& operator=(const IsolatedPlugin&) = delete;
  ~IsolatedPlugin();

  // Starts a process and waits until it has loaded the plugin. "PLG-nnn ..." when it did not.
  //   on cancel    at once; close() is still due
  //   on shutdown  likewise
  Co<absl::StatusOr<std::vector<StageInfo>>> start();
  // Makes every stage's instance in it; takes the stages over. Once.
  Co<absl::Status> create(std::vector<std::unique_ptr<RemoteStage>> stages);
  // For its sub-calls: who calls. Null until it is known.
  void belongs_to(const PluginGeneration* generation) { generation_ = generation; }
  RemoteStage& stage(size_t index) { return *stages_[index]; }

  // Running calls are cancelled, to be run again by another version.
  void preempt();
  // New calls are refused and running ones cancelled.
  void begin_close();
  //   wakes when   the process has ended: by itself, or killed after the grace period
  //   on cancel    not interrupted
  //   on shutdown  likewise
  Co<void> close();

  State state() const { return state_; }
  // "ready", "backing off after SIGSEGV, next start in 1.2 s", "breaker open, ...": for people.
  std::string state_text() const;
  int pid() const { return process_ != nullptr ? process_->pid() : 0; }
  size_t calls() const { return calls_.size(); }

  // ---- for its calls
  bool open() const { return state_ != State::kClosing && state_ != State::kEnded && !closing_; }
  bool ready() const { return state_ == State::kReady; }
  // It will be, soon: calls wait.
  bool coming() const {
    return open() && state_ != State::kBreakerOpen && state_ != State::kDisabled;
  }
  int64_t wait_ns() const;  // until it is worth trying again
  std::string unavailable_text(std::string_view use) const;
  Loop& loop() const { return host_.loop; }
  HostContext& host() const { return host_; }
  const PluginGeneration* generation() const { return generation_; }
  const std::string& label() const { return label_; }
  uint64_t payload_max() const { return options_.payload_max; }
  int64_t cancel_grace_ns() const { return options_.cancel_grace_ns; }
  void send(FrameType type, uint64_t call, std::string_view payload) {
    if (process_ != nullptr) process_->send(type, call, payload);
  }
  void kill_because(std::string_view cause, std::string_view how);
  RemoteCall& add_call(RemoteStage& stage, RunningCall::Owner& owner, StageCallSpec spec);
  void forget(RemoteCall& call);  // frees it

 private:
  struct OwnTimer : Timer {
    explicit OwnTimer(IsolatedPlugin& plugin) noexcept
        : Timer(&IsolatedPlugin::timer_fired), plugin(plugin) {}
    IsolatedPlugin& plugin;
  };

  void on_frame(const Frame& frame) noexcept override;
  void on_stderr(std::string_view line) noexcept override;
  void on_ended(ProcessEnd end) noexcept override;
  // isolated_frames.cc: InvalidArgument is a breach of the protocol.
  absl::Status handle(const Frame& frame);
  absl::Status handle_hello(std::string_view payload);
  absl::Status handle_created(std::string_view payload);
  absl::Status handle_log(uint64_t call, std::string_view payload);
  absl::Status handle_metrics(uint64_t stage, std::string_view payload);
  absl::Status handle_sub_call(uint64_t id, std::string_view payload);

  absl::Status spawn();
  void restart() noexcept;
  void send_create();
  void created();
  void fail_start(absl::Status why);
  void open_breaker(const RestartPolicy::Verdict& verdict);
  void lose_calls(const ProcessEnd& end);
  void turn_waiting_away();
  void say(StageLogLevel level, std::string_view message) const;
  static void timer_fired(Timer& timer) noexcept;
  void timer_due() noexcept;

  HostContext& host_;
  const PluginProcessOptions options_;
  const std::string label_;
  const std::shared_ptr<ProcessStats> stats_;
  const PluginGeneration* generation_ = nullptr;
  absl::BitGen random_;
  RestartPolicy policy_;
  std::unique_ptr<PluginProcess> process_;
  std::vector<StageInfo> infos_;
  std::vector<std::unique_ptr<RemoteStage>> stages_;
  std::map<uint64_t, std::unique_ptr<RemoteCall>> calls_;  // in the order in which they came
  SubCalls sub_calls_{*this};
  std::vector<std::vector<PluginMetric>> told_metrics_;  // by stage, by this process
  LogLimit log_limit_;
  uint64_t next_call_ = 1;
  State state_ = State::kNew;
  bool was_ready_ = false;
  bool closing_ = false;
  int64_t next_start_ns_ = 0;
  std::string last_end_;
  absl::Status start_failure_;
  Event settled_;  // of start(), create() or close()
  OwnTimer timer_{*this};
};

}  // namespace fermata

#endif  // SERVICES_STAGES_ISOLATED_ISOLATED_PLUGIN_H_
