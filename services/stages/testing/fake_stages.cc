#include "services/stages/testing/fake_stages.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/async/check.h"
#include "services/async/loop.h"
#include "services/config/nearest_name.h"
#include "services/stages/absl_view.h"

namespace fermata {

struct FakeStages::FakeStage final : Stage {
  FakeStage(StageInfo info, Run run, void* user) : Stage(std::move(info)), run(run), user(user) {}
  Run run;
  void* user;
};

namespace {

// Counts the call as ended when its frame goes, however that happens.
class Attempt {
 public:
  explicit Attempt(StageCounters& counters, size_t bytes)
      : counters_(counters), started_ns_(Loop::current().now_ns()) {
    counters_.begin(bytes);
  }
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;
  ~Attempt() { counters_.end(result, Loop::current().now_ns() - started_ns_, output_bytes); }

  StageResult result = StageResult::kCancelled;
  size_t output_bytes = 0;

 private:
  StageCounters& counters_;
  int64_t started_ns_;
};

// As the SDK's table says (plugins/sdk/README.md).
StageResult result_of(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return StageResult::kOk;
    case absl::StatusCode::kCancelled:
      return StageResult::kCancelled;
    case absl::StatusCode::kDeadlineExceeded:
      return StageResult::kDeadline;
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kUnknown:
      return StageResult::kTransient;
    case absl::StatusCode::kUnavailable:
      return StageResult::kUnavailable;
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kDataLoss:
      return StageResult::kInternal;
    default:
      return StageResult::kInvalid;
  }
}

bool retryable(StageResult result) {
  return result == StageResult::kTransient || result == StageResult::kUnavailable ||
         result == StageResult::kDeadline;
}

}  // namespace

void FakeStages::add(std::string_view use, Run run, void* user, std::string_view input_schema) {
  const size_t slash = use.find('/');
  FERMATA_CHECK(slash != std::string_view::npos, "a fake stage is called \"plugin/stage\"");
  StageInfo info;
  info.use = std::string(use);
  info.plugin_id = absl::StrCat("test.", absl_view(use.substr(0, slash)));
  info.name = std::string(use.substr(slash + 1));
  info.version = "1.0.0";
  info.summary = "a fake";
  info.input_schema = std::string(input_schema);
  stages_[std::string(use)] = std::make_shared<FakeStage>(std::move(info), run, user);
}

void FakeStages::remove(std::string_view use) {
  const auto found = stages_.find(use);
  if (found != stages_.end()) stages_.erase(found);
}

const StageCounters& FakeStages::counters(std::string_view use) const {
  const auto found = stages_.find(use);
  FERMATA_CHECK(found != stages_.end(), "there is no fake stage of this name");
  return found->second->counters();
}

absl::StatusOr<StageRef> FakeStages::resolve(std::string_view use) const {
  const auto found = stages_.find(use.substr(0, use.find('@')));
  if (found != stages_.end()) return StageRef(found->second);
  std::vector<std::string> known;
  for (const auto& [name, stage] : stages_) known.push_back(name);
  return absl::NotFoundError(
      absl::StrCat("no stage '", absl_view(use), "'", did_you_mean(use, known)));
}

Co<StageOutcome> FakeStages::call(const StageRef& stage, StageRequest request) {
  return run(std::static_pointer_cast<FakeStage>(stage), std::move(request));
}

Co<StageOutcome> FakeStages::run(std::shared_ptr<FakeStage> fake, StageRequest request) {
  Attempt attempt(fake->counters(), request.input.size());
  FakeCall call(std::move(request), fake->user);
  absl::StatusOr<std::string> result = co_await fake->run(call);
  StageOutcome outcome;
  outcome.version = fake->info().version;
  outcome.status = result.status();
  attempt.result = result_of(outcome.status.code());
  if (result.ok()) {
    attempt.output_bytes = result->size();
    outcome.output = Buffer(*std::move(result));
    co_return outcome;
  }
  outcome.retry_after = call.retry_after;
  outcome.lost = call.lost;
  outcome.retryable = !call.lost && retryable(attempt.result);
  co_return outcome;
}

std::vector<PluginInfo> FakeStages::list() const {
  std::map<std::string, PluginInfo> plugins;
  for (const auto& [use, stage] : stages_) {
    PluginInfo& plugin = plugins[stage->info().plugin_id];
    plugin.id = stage->info().plugin_id;
    plugin.short_name = use.substr(0, use.find('/'));
    plugin.version = stage->info().version;
    plugin.loaded = true;
    plugin.stages.push_back(stage->info());
  }
  std::vector<PluginInfo> infos;
  for (auto& [id, plugin] : plugins) infos.push_back(std::move(plugin));
  return infos;
}

}  // namespace fermata
