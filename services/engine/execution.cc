#include "services/engine/execution.h"

#include <algorithm>
#include <utility>

#include "services/async/check.h"
#include "services/config/planted_bug.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"
#include "services/engine/fan_out.h"
#include "services/engine/job_input.h"
#include "services/engine/stage_call.h"

namespace fermata {
namespace {

constexpr absl::Duration kStoreRetryFirst = absl::Milliseconds(100);
constexpr absl::Duration kStoreRetryMax = absl::Seconds(5);

}  // namespace

// A walk that waits in a stage that it does not enter.
class Execution::Held {
 public:
  explicit Held(Execution& execution) : execution_(execution) {
    ++execution_.held_walks_;
    execution_.note_held();
  }
  Held(const Held&) = delete;
  ~Held() {
    --execution_.held_walks_;
    execution_.note_held();
  }

 private:
  Execution& execution_;
};

Execution::Execution(Job& job, RunContext& context)
    : job_(job), context_(context), unfinished_(job.plan->stages.size()) {
  const Plan& plan = *job.plan;
  outputs_.resize(plan.stages.size());
  values_.resize(plan.stages.size());
  if (plan.chain) return;
  waits_for_.reserve(plan.stages.size());
  for (const StagePlan& stage : plan.stages) waits_for_.push_back(stage.waits_for);
}

Co<void> Execution::run() {
  absl::Status status = read_input();
  if (status.ok()) status = restore();
  if (!status.ok()) co_return;
  if (plan().chain) {
    status = co_await run_chain();
  } else {
    status = co_await with_group(&Execution::start, this);
  }
  FERMATA_CHECK(status.ok() == !failure_.has_value(), "a stage failed without saying why");
  if (status.ok()) make_result();
}

bool Execution::done(int stage) const {
  const StageState state = job_.stages[static_cast<size_t>(stage)].state;
  return state == StageState::kSucceeded || state == StageState::kSkipped;
}

absl::Status Execution::restore() {
  for (size_t i = 0; i < plan().stages.size(); ++i) {
    const int stage = static_cast<int>(i);
    if (!done(stage)) continue;
    --unfinished_;
    if (!waits_for_.empty()) {
      for (const int dependent : plan().stages[i].dependents) {
        --waits_for_[static_cast<size_t>(dependent)];
      }
    }
    const std::shared_ptr<const std::string>& text = job_.stages[i].output;
    if (text == nullptr) continue;  // skipped
    outputs_[i].text = text;
    values_[i] = &outputs_[i].value;
    if (!plan().stages[i].needs_value) continue;
    JsonLimits limits;
    limits.bytes = context_.limits.output;
    ++limits.depth;  // gathered outputs are one array deeper
    absl::StatusOr<JsonDocument> value = parse_json(*text, limits);
    if (!value.ok()) return fail("OUTPUT_INVALID", value.status(), stage);
    outputs_[i].value = *std::move(value);
  }
  return absl::OkStatus();
}

Co<absl::Status> Execution::run_chain() {
  walks_ = 1;
  for (size_t i = 0; i < plan().stages.size(); ++i) {
    if (done(static_cast<int>(i))) continue;
    absl::Status status = co_await run_stage(static_cast<int>(i));
    if (!status.ok()) co_return status;
  }
  co_return absl::OkStatus();
}

Co<absl::Status> Execution::start(TaskGroup& group, Execution* self) {
  for (size_t i = 0; i < self->waits_for_.size(); ++i) {
    if (self->waits_for_[i] > 0 || self->done(static_cast<int>(i))) continue;
    ++self->walks_;
    group.spawn(&Execution::walk, &group, self, static_cast<int>(i));
  }
  co_return absl::OkStatus();
}

Co<absl::Status> Execution::walk(TaskGroup* group, Execution* self, int stage) {
  while (stage >= 0) {
    absl::Status status = co_await self->run_stage(stage);
    if (!status.ok()) co_return status;
    stage = self->release_dependents(group, stage);
  }
  --self->walks_;
  self->note_held();
  co_return absl::OkStatus();
}

int Execution::release_dependents(TaskGroup* group, int stage) {
  int next = -1;
  for (const int dependent : plan().stages[static_cast<size_t>(stage)].dependents) {
    if (--waits_for_[static_cast<size_t>(dependent)] > 0) continue;
    if (next < 0) {
      next = dependent;
    } else {
      ++walks_;
      group->spawn(&Execution::walk, group, this, dependent);
    }
  }
  return next;
}

bool Execution::skipped(int stage) {
  const PipelineStage& step = plan().stage(stage);
  return step.when.has_value() && !step.when->truthy(values(nullptr, 0));
}

Co<absl::Status> Execution::run_stage(int stage) {
  const absl::Time began = context_.clock.now();
  if (skipped(stage)) {
    context_.journal.stage_ended(job_, stage, StageState::kSkipped);
  } else {
    absl::Status status = co_await run_calls(stage);
    StageStats& stats = *plan().stages[static_cast<size_t>(stage)].stats;
    stats.duration.observe(absl::ToInt64Nanoseconds(context_.clock.now() - began));
    const StageState end = status.ok() ? StageState::kSucceeded : StageState::kFailed;
    context_.journal.stage_ended(job_, stage, end);
    if (!status.ok()) co_return status;
  }
  --unfinished_;
  // So that a resumed job does not run this stage again. If the store fails, it will be run again,
  // which at-least-once allows; the job itself goes on.
  if (unfinished_ > 0) {
    absl::Status saved = co_await save(false);
  }
  co_return absl::OkStatus();
}

Co<absl::Status> Execution::run_calls(int stage) {
  const PipelineStage& step = plan().stage(stage);
  absl::StatusOr<StageRef> ref = context_.stages.resolve(step.use);
  if (!ref.ok()) co_return fail("STAGE_NOT_FOUND", ref.status(), stage);
  if (!step.each.has_value()) {
    context_.journal.stage_began(job_, stage, 1);
    ActiveCaller active(*this);
    CallResult result = co_await run_call(*this, stage, *std::move(ref), nullptr, 0);
    StageProgress& progress = context_.journal.stage(job_, stage);
    progress.done = 1;
    progress.failed = result.status.ok() ? 0 : 1;
    if (!result.status.ok()) {
      co_return fail(result.reason, result.status, stage, result.attempts);
    }
    keep(stage, StageOutput::of_one(std::move(result)));
    co_return absl::OkStatus();
  }
  JsonDocument scratch;
  absl::StatusOr<JsonValue> copy = JsonValue();
  const JsonValue* items = nullptr;
  if (step.each->has_star()) {
    copy = step.each->resolve(values(nullptr, 0), scratch.GetAllocator());
    if (!copy.ok()) co_return fail("REFERENCE_FAILED", copy.status(), stage);
    items = &*copy;
  } else {
    absl::StatusOr<const JsonValue*> found = step.each->find(values(nullptr, 0));
    if (!found.ok()) co_return fail("REFERENCE_FAILED", found.status(), stage);
    items = *found;
  }
  absl::Status checked = check_items(stage, *items);
  if (!checked.ok()) co_return checked;
  context_.journal.stage_began(job_, stage, static_cast<int64_t>(items->Size()));
  // The outputs of single items are not kept, so they begin and are lost together.
  if (step.if_lost == IfLost::kFail) {
    absl::Status begun = co_await note_begun(stage);
    if (!begun.ok()) co_return fail("OUTPUT_TOO_LARGE", begun, stage);
  }
  FanOut fan_out(*this, stage, *std::move(ref), *items);
  absl::Status status = co_await fan_out.run();
  if (!status.ok()) co_return status;
  absl::StatusOr<StageOutput> gathered = fan_out.take_output();
  if (!gathered.ok()) co_return gathered.status();
  keep(stage, *std::move(gathered));
  co_return absl::OkStatus();
}

absl::Status Execution::check_items(int stage, const JsonValue& items) {
  const std::string& each = plan().stage(stage).each->text();
  if (!items.IsArray()) {
    return fail("REFERENCE_FAILED",
                absl::InvalidArgumentError(
                    str_cat("each: ${", each, "}: expected an array, got ", json_preview(items))),
                stage);
  }
  if (items.Size() > context_.limits.fan_out) {
    return fail("FAN_OUT_TOO_LARGE",
                absl::ResourceExhaustedError(str_cat("each: ${", each, "}: ", items.Size(),
                                                     " items are more than limits.fan_out, ",
                                                     context_.limits.fan_out)),
                stage);
  }
  return absl::OkStatus();
}

void Execution::keep(int stage, StageOutput output) {
  const size_t at = static_cast<size_t>(stage);
  outputs_[at] = std::move(output);
  values_[at] = &outputs_[at].value;
  context_.journal.stage(job_, stage).output = outputs_[at].text;
}

Co<absl::Status> Execution::save(bool synced) {
  std::vector<JobView> batch;
  batch.push_back(context_.journal.view(job_));
  JobStore& store = context_.store;
  absl::Status status;
  if (synced) {
    status = co_await store.commit_synced(std::move(batch));
  } else {
    status = co_await store.commit(std::move(batch));
  }
  context_.stats.store_healthy = status.ok();
  if (!status.ok()) ++context_.stats.store_failures;
  co_return status;
}

void Execution::note_held() {
  const bool held = held_walks_ > 0 && held_walks_ == walks_;
  if (held == held_) return;
  held_ = held;
  context_.drain.held += held ? 1 : -1;
  context_.drain.held_changed();
}

Co<void> Execution::hold() {
  Held held(*this);
  co_await sleep(absl::InfiniteDuration());
}

Co<absl::Status> Execution::note_begun(int stage) {
  const bool kept = context_.store.keeps(*job_.spec);
  if (kept && context_.drain.begun) co_await hold();
  context_.journal.stage_begun(job_, stage, true);
  // What ends with the process is never run again.
  if (!kept || planted(PlantedBug::kEnterBeforeStored)) co_return absl::OkStatus();
  absl::Duration delay = kStoreRetryFirst;
  for (;;) {
    absl::Status saved = co_await save(true);
    if (saved.ok() || saved.code() == absl::StatusCode::kOutOfRange) co_return saved;
    co_await sleep(delay);
    delay = std::min(delay * 2, kStoreRetryMax);
  }
}

Co<void> Execution::note_ended(int stage) {
  context_.journal.stage_begun(job_, stage, false);
  if (!context_.store.keeps(*job_.spec)) co_return;
  absl::Status saved = co_await save(false);
}

absl::Status Execution::read_input() {
  if (!plan().needs_input || job_.input.has_value()) return absl::OkStatus();
  // It was checked when the job was submitted, and dropped while the job waited.
  absl::StatusOr<JsonDocument> input =
      parse_input(*plan().pipeline, job_.spec->input, job_.spec->input.size());
  if (!input.ok()) return fail("INPUT_INVALID", input.status());
  job_.input = *std::move(input);
  return absl::OkStatus();
}

EvalContext Execution::values(const JsonValue* item, size_t index) const {
  EvalContext context;
  context.input = job_.input.has_value() ? &*job_.input : &null_;
  context.item = item;
  context.index = index;
  context.outputs = values_;
  return context;
}

absl::StatusOr<std::string> Execution::call_input(int stage, const JsonValue* item,
                                                  size_t index) const {
  const TextSource source = plan().stages[static_cast<size_t>(stage)].input;
  if (source.kind == TextSource::Kind::kInput) return job_.spec->input;
  if (source.kind == TextSource::Kind::kStage) {
    const auto& text = outputs_[static_cast<size_t>(source.stage)].text;
    return text == nullptr ? "null" : *text;
  }
  return plan().stage(stage).with.evaluate_json(values(item, index));
}

void Execution::make_result() {
  const TextSource source = plan().result;
  if (source.kind == TextSource::Kind::kStage) {
    result_ = outputs_[static_cast<size_t>(source.stage)].text;
    if (result_ == nullptr) result_ = std::make_shared<const std::string>("null");
    return;
  }
  if (source.kind == TextSource::Kind::kInput) {
    result_ = std::make_shared<const std::string>(job_.spec->input);
    return;
  }
  absl::StatusOr<std::string> text = plan().pipeline->result.evaluate_json(values(nullptr, 0));
  if (!text.ok()) {
    (void)fail("REFERENCE_FAILED", text.status());
  } else if (text->size() > context_.limits.output || !charge(text->size())) {
    (void)fail("OUTPUT_TOO_LARGE",
               absl::ResourceExhaustedError(str_cat("no room for a result of ", text->size(),
                                                    " bytes; let the pipeline return less")));
  } else {
    result_ = std::make_shared<const std::string>(*std::move(text));
  }
}

absl::Status Execution::fail(std::string_view reason, const absl::Status& why, int stage,
                             int attempts) {
  const std::string_view text(why.message().data(), why.message().size());
  std::string message = utf8_preview(text, Journal::kMessageMax);
  if (attempts > 1) str_append(&message, " (after ", attempts, " attempts)");
  if (!failure_.has_value()) {
    failure_.emplace();
    failure_->reason = reason;
    failure_->error.code = why.code();
    failure_->error.message = message;
    failure_->error.attempts = attempts;
    if (stage >= 0) failure_->error.stage = plan().stage(stage).name;
  }
  return absl::Status(why.code(), message);
}

bool Execution::charge(size_t bytes) {
  if (!context_.admission.grow(bytes)) return false;
  job_.bytes += bytes;
  return true;
}

void Execution::callers_changed(int active, int sleeping) {
  active_callers_ += active;
  sleeping_callers_ += sleeping;
  // Nothing is told of a job whose frames are being destroyed.
  if (failure_.has_value() || job_.scope == nullptr || job_.scope->cancelled()) return;
  const bool waits = active_callers_ > 0 && sleeping_callers_ == active_callers_;
  if (waits && job_.state == JobState::kRunning) {
    context_.journal.set_state(job_, JobState::kBackingOff);
  } else if (!waits && job_.state == JobState::kBackingOff) {
    context_.journal.set_state(job_, JobState::kRunning);
  }
}

}  // namespace fermata
