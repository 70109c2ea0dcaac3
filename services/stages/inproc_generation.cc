#include "services/stages/inproc_generation.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/async/async.h"
#include "services/async/check.h"
#include "services/stages/call_awaiter.h"
#include "services/stages/input_check.h"
#include "services/stages/static_checks.h"

namespace fermata {
namespace {

// Checking a larger input would hold the loop: about a millisecond.
constexpr size_t kCheckedOnTheLoop = size_t{128} << 10;

absl::StatusOr<std::string> check_input(std::shared_ptr<const JsonSchema> schema,
                                        std::string input) {
  return check_json(schema.get(), std::move(input));
}

StageOutcome closing(const StageInfo& stage, const std::string& label) {
  StageOutcome outcome;
  outcome.status = absl::UnavailableError(absl::StrCat(stage.use, ": the server is shutting down"));
  outcome.retryable = true;
  outcome.version = label;
  return outcome;
}

StageOutcome bad_input(PluginGeneration& generation, size_t stage, const absl::Status& why) {
  generation.series(stage).counters->reject();
  StageOutcome outcome;
  outcome.status = absl::Status(
      why.code(), absl::StrCat("input of ", generation.stages()[stage].use, ": ", why.message()));
  outcome.version = generation.label();
  return outcome;
}

}  // namespace

std::vector<StageInfo> stage_infos(const LoadedPlugin& plugin) {
  std::vector<StageInfo> infos;
  for (size_t i = 0; i < plugin.stage_count(); ++i) infos.push_back(plugin.stage_info(i));
  return infos;
}

InprocGeneration::InprocGeneration(HostContext& context, std::shared_ptr<LoadedPlugin> plugin,
                                   PluginIdentity identity, std::vector<StageSeries> series)
    : PluginGeneration(std::move(identity), stage_infos(*plugin), std::move(series)),
      context_(context),
      plugin_(std::move(plugin)),
      instances_(plugin_->stage_count()) {
  plugin_->add_user();
}

InprocGeneration::~InprocGeneration() {
  FERMATA_CHECK(!uses_plugin_, "a generation was freed before close() had ended");
}

absl::Status InprocGeneration::create_instance(size_t stage, const std::string& config) {
  const StageInfo& info = stages()[stage];
  const std::string where = absl::StrCat(identity().id, "/", info.name);
  absl::StatusOr<std::shared_ptr<const JsonSchema>> input = compile_schema(info.input_schema);
  if (!input.ok()) {
    return refusal(151, where,
                   absl::StrCat("its input_schema is wrong: ", input.status().message()));
  }
  instances_[stage] = std::make_unique<StageInstance>(
      context_, plugin_->stage(stage), *this, std::make_shared<Stage>(info, series(stage).counters),
      series(stage).metrics, *std::move(input));
  if (context_.creating) context_.creating(info);
  const absl::Status created = instances_[stage]->create(config);
  if (!created.ok()) return refusal(160, where, std::string(created.message()));
  return absl::OkStatus();
}

Co<absl::Status> InprocGeneration::create(std::vector<std::string> configs) {
  FERMATA_CHECK(configs.size() == instances_.size(), "one config for each stage");
  for (size_t i = 0; i < configs.size(); ++i) {
    absl::Status created = create_instance(i, configs[i]);
    if (!created.ok()) co_return created;
  }
  open_ = true;
  co_return absl::OkStatus();
}

Co<StageOutcome> InprocGeneration::call(size_t stage, StageRequest request) {
  return run_call(CallHold(shared_from_this()), this, stage, std::move(request));
}

Co<StageOutcome> InprocGeneration::run_call(CallHold hold, InprocGeneration* self, size_t stage,
                                            StageRequest request) {
  if (!self->open_) co_return closing(self->stages()[stage], self->label());
  if (request.observer != nullptr) request.observer->began(self->label());
  StageInstance& instance = *self->instances_[stage];
  if (const std::shared_ptr<const JsonSchema> schema = instance.input_schema();
      schema != nullptr && !request.probe) {
    absl::StatusOr<std::string> checked;
    if (request.input.size() <= kCheckedOnTheLoop) {
      checked = check_input(schema, std::move(request.input));
    } else {
      checked = co_await offload(&check_input, schema, std::move(request.input));
    }
    if (!checked.ok()) co_return bad_input(*self, stage, checked.status());
    if (!self->open_) co_return closing(self->stages()[stage], self->label());
    request.input = *std::move(checked);
  }
  StageCallSpec spec;
  spec.job_id = std::move(request.job_id);
  spec.input = Buffer(std::move(request.input));
  spec.deadline_ns = self->context_.loop.to_ns(request.deadline);
  spec.attempt = request.attempt;
  spec.probe = request.probe;
  spec.observer = request.observer;
  CallAwaiter call(instance, std::move(spec));
  StageOutcome outcome = co_await call;
  hold.note(outcome);
  co_return outcome;
}

void InprocGeneration::preempt() {
  for (const auto& instance : instances_) {
    if (instance != nullptr) instance->preempt();
  }
}

void InprocGeneration::begin_close() {
  open_ = false;
  for (const auto& instance : instances_) {
    if (instance != nullptr) instance->close();
  }
}

Co<void> InprocGeneration::close() {
  begin_close();
  // Twice the grace period is more than a plugin may take to let go of its calls and its root call.
  const absl::Duration limit = absl::Nanoseconds(2 * context_.cancel_grace_ns) + absl::Seconds(1);
  for (auto& instance : instances_) {
    if (instance == nullptr) continue;
    absl::Status closed = co_await timeout(limit, instance->closed().wait());
    if (!closed.ok()) instance->abandon();
    // An instance that did not let go is kept for ever, and so is what it may still touch.
    if (instance->abandoned()) {
      (void)instance.release();
      kept_ = true;
    }
    instance.reset();
  }
  if (!std::exchange(uses_plugin_, false)) co_return;
  // With an instance that was kept, a thread of the plugin may still run.
  if (plugin_->drop_user() && !kept_) co_await offload(&LoadedPlugin::shut_down, plugin_.get());
}

}  // namespace fermata
