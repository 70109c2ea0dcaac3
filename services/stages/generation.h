// PluginGeneration: one version of one plugin, ready to run its stages: the unit of reloading.
//
//   created ─> active ─> draining ─> warm ─> retired         PluginSlot keeps the generations of
//        └──────── failed     (runs what it has)             one plugin id and says which is active
//
// An attempt belongs to one generation from its start to its end: call() takes a CallHold before
// anything runs, and a generation is closed only when no hold is left, so no attempt ever mixes
// versions. What runs the code is the subclass's business: InprocGeneration maps it into this
// process; another may speak to a process of its own. Everything here belongs to the loop thread.
//
// A subclass must:
//   - make the CallHold when call() is called, not when its coroutine first runs, and let it go
//   when
//     the engine has its outcome;
//   - after preempt(), end the calls that still run with `preempted` set in their outcomes (a
//   result
//     that is there all the same wins);
//   - count into series(stage), which all generations of the stage share, so that a reload resets
//   no
//     metric;
//   - be closed before it is destroyed, if create() was called;
//   - not be open() from begin_close() on.
#ifndef SERVICES_STAGES_GENERATION_H_
#define SERVICES_STAGES_GENERATION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "services/async/co.h"
#include "services/async/event.h"
#include "services/stages/plugin_metrics.h"
#include "services/stages/stages.h"

namespace fermata {

class Callee;

// Which bytes of which file a generation is.
struct PluginIdentity {
  std::string id;          // reverse-DNS
  std::string short_name;  // its last part
  std::string version;
  std::string file;    // as found in the folder
  std::string sha256;  // empty for a plugin that is linked into the program

  // What job records keep: "1.2.0+9f2c71ab", or the version alone without a file.
  std::string label() const;
};

// What the generations of one stage count together.
struct StageSeries {
  std::shared_ptr<StageCounters> counters = std::make_shared<StageCounters>();
  std::shared_ptr<PluginMetrics> metrics = std::make_shared<PluginMetrics>();
};

// How the attempts of one generation ended; what a roll-back is decided by.
struct GenerationTally {
  uint64_t ended = 0;   // cancelled and preempted ones apart
  uint64_t failed = 0;  // of those, not because of their input
  uint64_t lost = 0;    // of those, because the plugin's process died
};

class PluginGeneration : public std::enable_shared_from_this<PluginGeneration> {
 public:
  // `series` has one entry per stage.
  PluginGeneration(PluginIdentity identity, std::vector<StageInfo> stages,
                   std::vector<StageSeries> series);
  virtual ~PluginGeneration();
  PluginGeneration(const PluginGeneration&) = delete;
  PluginGeneration& operator=(const PluginGeneration&) = delete;

  const PluginIdentity& identity() const { return identity_; }
  const std::string& label() const { return label_; }
  const std::vector<StageInfo>& stages() const { return stages_; }
  StageSeries& series(size_t stage) { return series_[stage]; }
  // -1: it has no such stage.
  int find_stage(std::string_view name) const;

  GenerationState state() const { return state_; }
  void set_state(GenerationState state) { state_ = state; }
  // Its code, and its instances, answer calls.
  virtual bool open() const = 0;
  // "inproc" or "isolated".
  virtual std::string_view placement() const = 0;
  // Of its process, for people; empty when it has none.
  virtual std::string state_text() const { return {}; }
  // It crashes in a loop and takes no calls for the time being.
  virtual bool degraded() const { return false; }

  // Makes every stage's instance; configs[i] is JSON that the schema of stage i accepts. Once. When
  // it fails, close() is still due.
  //   wakes when   all are made, or one was refused: "PLG-160 id/stage: what create() said"
  //   on cancel    when the plugin has let go
  //   on shutdown  likewise
  virtual Co<absl::Status> create(std::vector<std::string> configs) = 0;

  // Runs one attempt in stage number `stage`; as Stages::call. `request` is moved from before this
  // returns.
  virtual Co<StageOutcome> call(size_t stage, StageRequest&& request) = 0;

  // The calls that still run are cancelled, because their version goes: they are tried again.
  virtual void preempt() = 0;

  // Begins to close: new calls are refused, those that run are cancelled.
  void begin_close();
  // Cancels what runs, destroys the instances, stops the plugin's threads. Idempotent; never fails.
  //   wakes when   that is done, or the grace period is over: then `kept()` is true and what the
  //                plugin did not let go of stays
  //   on cancel    at once; called again, it goes on where it was
  //   on shutdown  likewise
  virtual Co<void> close() = 0;
  virtual bool kept() const { return false; }

  // For calls from stage to stage; null when it does not take any.
  virtual Callee* callee(size_t /*stage*/) const { return nullptr; }

  // Attempts that began and have not ended.
  size_t calls() const { return calls_; }
  // Set while there are none.
  Event& idle() { return idle_; }
  const GenerationTally& tally() const { return tally_; }

 protected:
  // begin_close(), for what runs the code. Idempotent.
  virtual void refuse_and_cancel() = 0;

 private:
  friend class CallHold;
  void call_began();
  void call_ended();

  const PluginIdentity identity_;
  const std::string label_;
  const std::vector<StageInfo> stages_;
  std::vector<StageSeries> series_;
  GenerationState state_ = GenerationState::kCreated;
  size_t calls_ = 0;
  // From the first call on, as long as it is open or runs any: a count for each call would be an
  // atomic one.
  std::shared_ptr<PluginGeneration> self_;
  Event idle_;
  GenerationTally tally_;
};
using GenerationRef = std::shared_ptr<PluginGeneration>;

// While one exists, its generation runs an attempt and is not closed.
class CallHold {
 public:
  CallHold() = default;
  explicit CallHold(PluginGeneration& generation) : generation_(&generation) {
    generation_->call_began();
  }
  CallHold(CallHold&& other) noexcept : generation_(std::exchange(other.generation_, nullptr)) {}
  CallHold& operator=(CallHold&& other) noexcept {
    std::swap(generation_, other.generation_);
    return *this;
  }
  ~CallHold() { reset(); }

  void reset() {
    if (generation_ != nullptr) std::exchange(generation_, nullptr)->call_ended();
  }
  // Counts how the attempt ended; nothing, without a generation.
  void note(const StageOutcome& outcome);
  PluginGeneration* generation() const { return generation_; }

 private:
  PluginGeneration* generation_ = nullptr;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_GENERATION_H_
