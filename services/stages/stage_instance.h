// StageInstance: one configured stage of one plugin on one loop: the plugin's own object, the calls
// that run in it, its root call, its metrics. HostContext is what all instances of one host share.
//
// Life: create() → calls … → close(): cancels what runs, then the root call; when nothing is
// outstanding any more the plugin's destroy() is called and the instance is closed. Loop thread
// only.
#ifndef SERVICES_STAGES_STAGE_INSTANCE_H_
#define SERVICES_STAGES_STAGE_INSTANCE_H_

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "services/async/event.h"
#include "services/async/loop.h"
#include "services/stages/generation.h"
#include "services/stages/handles.h"
#include "services/stages/input_check.h"
#include "services/stages/log_limit.h"
#include "services/stages/plugin_metrics.h"
#include "services/stages/stage_call.h"
#include "services/stages/stages.h"
#include "services/stages/waker.h"

namespace fermata {

struct StageLogRecord {
  std::string_view plugin_id;
  std::string_view stage;
  std::string_view job_id;  // empty outside of a call
  StageLogLevel level = StageLogLevel::kInfo;
  std::string_view message;
};

// A stage of one version of a plugin; or, in a plugin's own process, one of the server's
// (`callee`).
struct StageTarget {
  GenerationRef generation;
  size_t stage = 0;
  Callee* callee = nullptr;

  // Null: nobody.
  Callee* find() const {
    return callee != nullptr || generation == nullptr ? callee : generation->callee(stage);
  }
};

struct HostContext {
  explicit HostContext(Loop& loop);
  ~HostContext();
  bool on_loop_thread() const { return std::this_thread::get_id() == thread; }

  Loop& loop;
  std::thread::id thread = std::this_thread::get_id();  // the loop's; set again when loading begins
  std::shared_ptr<WakerHub> wakers;
  std::function<void(const StageLogRecord&)> log;
  // For call_stage(): who runs `use` for a call of `caller`; no generation when nobody does.
  std::function<StageTarget(std::string_view use, const PluginGeneration& caller)> find_stage;
  // Before each create(). Null: nobody listens.
  std::function<void(const StageInfo&)> creating;
  int64_t cancel_grace_ns = 0;
  uint32_t max_depth = 16;
  uint32_t chunk_credit = 16;
  // Of all chunks of one call; in a plugin's process the server counts them.
  uint64_t payload_max = std::numeric_limits<uint64_t>::max();
  uint64_t attempts = 0;            // begun so far
  std::vector<GenerationRef> kept;  // did not let go when they were closed: for ever
};

class StageInstance final : public fermata_instance, public Callee {
 public:
  // `abi` outlives it; so does `generation`, which owns it, unless it is abandoned.
  StageInstance(HostContext& host, const fermata_stage& abi, PluginGeneration& generation,
                std::shared_ptr<Stage> stage, std::shared_ptr<PluginMetrics> metrics,
                std::shared_ptr<const JsonSchema> input_schema);
  ~StageInstance();

  // Calls the plugin's create(); `config` is checked JSON. UNAVAILABLE, ... with what the plugin
  // said.
  absl::Status create(const std::string& config);
  // Cancels the calls that run, because their version of the plugin goes.
  void preempt();
  // Cancels everything; closed() is set when the plugin's object is gone.
  void close();
  Event& closed() { return closed_; }
  bool open() const noexcept override { return open_; }
  bool abandoned() const { return abandoned_; }

  StageCall& new_call(RunningCall::Owner& owner, StageCallSpec&& spec) override;
  void remove_call(StageCall& call);

  HostContext& host() const { return host_; }
  Loop& loop() const { return host_.loop; }
  const fermata_stage& abi() const { return abi_; }
  void* object() const { return object_; }
  StageCall& root() { return root_; }
  Stage& stage() const { return *stage_; }
  StageCounters& counters() const { return stage_->counters(); }
  PluginMetrics& metrics() { return *metrics_; }
  PluginGeneration& generation() const { return generation_; }
  bool creating() const { return creating_; }
  size_t calls() const { return calls_; }

  const std::shared_ptr<const JsonSchema>& input_schema() const noexcept override {
    return input_schema_;
  }
  // For CurrentCall: "org.example.fetch 1.2.0 thumbnail".
  const char* where() const noexcept { return where_; }
  // Gives up the reference that an event held.
  void release(const fermata_buf& buf) const;

  // Loop thread; over the limit it is only counted.
  void log(const StageCall* call, uint32_t level, std::string_view message);
  // Any thread; when too many wait for the loop, they are dropped.
  void log_from_anywhere(uint32_t level, std::string message);
  // The root call delivered an event: perhaps it was the last one.
  void destroy_if_quiet();
  // It did not let go of its root call within the grace period: closed, but not destroyed.
  void abandon();
  // What create() said was wrong.
  void note_failure(FailureDetail failure) { create_failure_ = std::move(failure); }

 private:
  HostContext& host_;
  const fermata_stage& abi_;
  PluginGeneration& generation_;
  std::shared_ptr<Stage> stage_;
  const char* const where_;
  std::shared_ptr<const JsonSchema> input_schema_;
  std::shared_ptr<PluginMetrics> metrics_;
  LogLimit log_limit_;
  void* object_ = nullptr;
  bool created_ = false;
  bool creating_ = false;
  bool open_ = false;
  bool closing_ = false;
  bool abandoned_ = false;
  FailureDetail create_failure_;
  StageCall root_;
  StageCall* first_call_ = nullptr;
  size_t calls_ = 0;
  Event closed_;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_STAGE_INSTANCE_H_
