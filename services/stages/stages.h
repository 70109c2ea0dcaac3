// Stages: what the engine sees of stage plugins. Resolve a name once, then call it any number of
// times.
//
// The engine never sees a plugin, a generation or a .so: it holds a StageRef, which keeps the code
// it points to alive, and awaits calls. PluginHost (plugin_host.h) is the real one; FakeStages
// (testing/fake_stages.h) runs plain coroutines, for tests. Everything here belongs to one loop
// thread.
#ifndef SERVICES_STAGES_STAGES_H_
#define SERVICES_STAGES_STAGES_H_

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
};

// One resolved stage. Holding it keeps its code loaded and its numbers countable.
class Stage : public std::enable_shared_from_this<Stage> {
 public:
  explicit Stage(StageInfo info) : info_(std::move(info)) {}
  virtual ~Stage() = default;
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  const StageInfo& info() const { return info_; }
  const StageCounters& counters() const { return counters_; }
  StageCounters& counters() { return counters_; }

 private:
  StageInfo info_;
  StageCounters counters_;
};
using StageRef = std::shared_ptr<Stage>;

enum class StageLogLevel : uint8_t { kDebug, kInfo, kWarning, kError };

// Hears what a running call says. On the loop; never called after the call's result is there.
// Strings are borrowed.
class StageObserver {
 public:
  virtual ~StageObserver() = default;
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
};

struct StageOutcome {
  absl::Status status;
  bool retryable = false;                             // says the stage: a later attempt may succeed
  absl::Duration retry_after = absl::ZeroDuration();  // the dependency's own wish; zero is none
  Buffer output;                                      // JSON text; only when ok
  std::string version;                                // the plugin version that ran it
};

struct PluginInfo {
  std::string id;          // reverse-DNS; empty when the file could not be read
  std::string short_name;  // the id's last part: what `use` names
  std::string version;
  std::string file;    // as found in the folder
  std::string sha256;  // of the bytes that were loaded
  bool loaded = false;
  std::string refusal;  // "PLG-nnn file: what - why - what to do"; empty when loaded
  std::vector<StageInfo> stages;
};

class Stages {
 public:
  virtual ~Stages() = default;

  // "http/get", "dev.fermata.http/get", optionally "@1.0.0". NotFound carries a nearest-name hint.
  virtual absl::StatusOr<StageRef> resolve(std::string_view use) const = 0;

  // Runs one attempt.
  //   wakes when   the stage has ended, in any way
  //   on cancel    the stage is told; returns once it let go, at the latest after the grace period
  //   on shutdown  like cancel
  virtual Co<StageOutcome> call(StageRef stage, StageRequest request) = 0;

  // Everything found, the refused too, in file order.
  virtual std::vector<PluginInfo> list() const = 0;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_STAGES_H_
