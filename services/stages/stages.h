// Stages: what the engine sees of stage plugins. Resolve a name once, then call it any number of
// times.
//
// The engine never sees a plugin, a generation or a .so: it holds a StageRef, which keeps the code
// it points to alive, and awaits calls. PluginHost (plugin_host.h) is the real one; FakeStages
// (testing/fake_stages.h) runs plain coroutines, for tests. Everything here belongs to one loop
// thread.
#ifndef SERVICES_STAGES_STAGES_H_
#define SERVICES_STAGES_STAGES_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/async/co.h"
#include "services/stages/buffer.h"
#include "services/stages/stage_counters.h"

namespace fermata {

// What is known of one stage without running it.
struct StageInfo {
  std::string use;  // "http/get": short plugin name, slash, stage
  std::string plugin_id;
  std::string version;
  std::string name;
  std::string summary;
  std::string config_schema;  // JSON Schema draft 4, or empty
  std::string input_schema;   // of each call's input: the resolved `with` object
  bool idempotent = false;
  bool streams = false;
  bool probes = false;  // understands a probe: a dry run without side effects
};

// One resolved stage: a name that every attempt is sent through, to whichever version is active
// then. Holding it keeps its numbers countable.
class Stage : public std::enable_shared_from_this<Stage> {
 public:
  explicit Stage(StageInfo info,
                 std::shared_ptr<StageCounters> counters = std::make_shared<StageCounters>())
      : info_(std::move(info)), counters_(std::move(counters)) {}
  virtual ~Stage() = default;
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  // Of the version that an attempt would run now; changes when the plugin is reloaded.
  const StageInfo& info() const { return info_; }
  const StageCounters& counters() const { return *counters_; }
  StageCounters& counters() { return *counters_; }

 protected:
  void set_info(const StageInfo& info) { info_ = info; }

 private:
  StageInfo info_;
  std::shared_ptr<StageCounters> counters_;  // shared by all versions of the stage
};
using StageRef = std::shared_ptr<Stage>;

enum class StageLogLevel : uint8_t { kDebug, kInfo, kWarning, kError };

// Hears what a running call says. On the loop; never called after the call's result is there.
// Strings are borrowed.
class StageObserver {
 public:
  virtual ~StageObserver() = default;
  // The attempt begins, in this version: "1.2.0+9f2c71ab". Before the stage itself does.
  virtual void began(std::string_view version) {}
  // 0..1, or NaN: unknown. At most a few a second are worth storing; stages may say more.
  virtual void progress(double fraction, std::string_view note) {}
  virtual void log(StageLogLevel level, std::string_view message) {}
  // One chunk of a streaming stage, before its final output.
  virtual void chunk(const Buffer& bytes) {}
};

struct StageRequest {
  std::string job_id;
  uint32_t attempt = 1;  // 1 is the first
  absl::Time deadline = absl::InfiniteFuture();
  std::string input;                  // JSON text
  StageObserver* observer = nullptr;  // may be null; outlives the call
  bool probe = false;                 // a dry run; only of stages that `probes`
};

struct StageOutcome {
  absl::Status status;
  bool retryable = false;                             // says the stage: a later attempt may succeed
  absl::Duration retry_after = absl::ZeroDuration();  // the dependency's own wish; zero is none
  // The host ended the attempt, for no fault of it: its version went away, or another call killed
  // their common process. It is tried again at once and uses up no retry.
  bool preempted = false;
  bool lost = false;        // the plugin's process died; what the stage did so far is unknown
  bool lost_below = false;  // with `lost`: not its own process, but that of a stage it called
  bool bystander = false;   // with `lost`: the process died in another call
  bool unstarted = false;   // with `preempted`: there was no process, so nothing of it has run
  Buffer output;            // JSON text; only when ok
  std::string version;      // what ran it: "1.2.0+9f2c71ab", version and the file's hash
};

// What becomes of a version of a plugin (generation.h).
enum class GenerationState : uint8_t {
  kCreated,   // not used yet
  kCanary,    // runs a share of the new attempts
  kActive,    // runs the new attempts
  kPinned,    // runs those that ask for this version
  kDraining,  // runs what it has
  kWarm,      // runs nothing, and can be active again at once
  kRetired,   // its code stays mapped and nothing of it runs
  kFailed,    // could not be created, or was rolled back
};
inline constexpr std::array<const char*, 8> kGenerationStateNames = {
    "created", "canary", "active", "pinned", "draining", "warm", "retired", "failed"};

struct PluginInfo {
  std::string id;          // reverse-DNS; empty when the file could not be read
  std::string short_name;  // the id's last part: what `use` names
  std::string version;
  std::string file;    // as found in the folder
  std::string sha256;  // of the bytes that were loaded
  bool loaded = false;
  GenerationState state = GenerationState::kActive;  // of a loaded one
  std::string placement;  // "inproc", "isolated"; empty when it was not loaded
  std::string process;    // "ready, process 4711": of its own process, if it has one
  uint64_t calls = 0;     // attempts that run in it now
  std::string refusal;    // "PLG-nnn file: what - why - what to do"; empty when loaded
  std::vector<StageInfo> stages;
};

class Stages {
 public:
  virtual ~Stages() = default;

  // "http/get", "dev.fermata.http/get", optionally "@1", "@1.0" or "@1.0.0": then only that version
  // runs it. NotFound carries a nearest-name hint.
  virtual absl::StatusOr<StageRef> resolve(std::string_view use) const = 0;

  // Runs one attempt. `stage` is borrowed until this returns, not until the attempt ends.
  //   wakes when   the stage has ended, in any way
  //   on cancel    the stage is told; returns once it let go, at the latest after the grace period
  //   on shutdown  like cancel
  virtual Co<StageOutcome> call(const StageRef& stage, StageRequest request) = 0;

  // Everything found, the refused too, in file order.
  virtual std::vector<PluginInfo> list() const = 0;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_STAGES_H_
