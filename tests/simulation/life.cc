#include "tests/simulation/life.h"

#include <utility>

#include "services/config/json.h"
#include "services/config/str_cat.h"

namespace fermata::simulation {
namespace {

constexpr std::string_view kChain = R"(
pipeline: chain
stages:
  one:
    use: sim/step
    with: { key: "${/input/key}", stage: one }
    retry: { attempts: 100, initial: 1ms, max: 9ms }
  two:
    use: sim/step
    with: { key: "${/input/key}", stage: two, in: "${/stages/one}" }
    retry: { attempts: 100, initial: 1ms, max: 9ms }
  three:
    use: sim/step
    with: { key: "${/input/key}", stage: three, in: "${/stages/two}" }
    retry: { attempts: 100, initial: 1ms, max: 9ms }
)";
constexpr std::string_view kDiamond = R"(
pipeline: diamond
stages:
  left:
    use: sim/step
    with: { key: "${/input/key}", stage: left }
    retry: { attempts: 100, initial: 1ms, max: 9ms }
  right:
    use: sim/step
    with: { key: "${/input/key}", stage: right }
    retry: { attempts: 100, initial: 1ms, max: 9ms }
  join:
    use: sim/step
    with: { key: "${/input/key}", stage: join, in: ["${/stages/left}", "${/stages/right}"] }
    retry: { attempts: 100, initial: 1ms, max: 9ms }
)";
constexpr std::string_view kFan = R"(
pipeline: fan
stages:
  each:
    use: sim/step
    each: "${/input/items}"
    parallel: 2
    with: { key: "${/input/key}", stage: each }
    retry: { attempts: 100, initial: 1ms, max: 9ms }
  after:
    use: sim/step
    with: { key: "${/input/key}", stage: after, in: "${/stages/each}" }
    retry: { attempts: 100, initial: 1ms, max: 9ms }
)";
// Two stages that may not begin twice, one of them with items.
constexpr std::string_view kOnce = R"(
pipeline: once
stages:
  before:
    use: sim/step
    with: { key: "${/input/key}", stage: before }
    retry: { attempts: 100, initial: 1ms, max: 9ms }
  sole:
    use: sim/step
    if_lost: fail
    with: { key: "${/input/key}", stage: sole, in: "${/stages/before}" }
    retry: { attempts: 100, initial: 1ms, max: 9ms }
  items:
    use: sim/step
    if_lost: fail
    each: "${/input/items}"
    parallel: 2
    with: { key: "${/input/key}", stage: "sole-${/item}", in: "${/stages/sole}" }
    retry: { attempts: 100, initial: 1ms, max: 9ms }
  last:
    use: sim/step
    with: { key: "${/input/key}", stage: last, in: "${/stages/items}" }
    retry: { attempts: 100, initial: 1ms, max: 9ms }
)";
constexpr std::string_view kStuck = R"(
pipeline: stuck
stages: { hang: { use: sim/hang, timeout: 3h } }
)";

std::string text(const JsonValue& object, std::string_view name) {
  const JsonValue* const found = find_member(object, name);
  return found != nullptr && found->IsString() ? found->GetString() : "";
}

// Takes a while, fails now and then in a way that may be tried again, and gives "stage#run" with
// what it was given, so that a result tells which runs it was made of.
Co<absl::StatusOr<std::string>> step(FakeCall& call) {
  Life& life = *static_cast<Life*>(call.user);
  absl::StatusOr<JsonDocument> input = parse_json(call.request.input);
  if (!input.ok()) co_return input.status();
  const std::string stage = text(*input, "stage");
  const std::string key = text(*input, "key");
  const int run = life.history().stage_began(key, stage);
  const absl::Duration work = life.up_to(absl::Milliseconds(8));
  const bool fails = life.happens(15);
  co_await sleep(work);
  if (fails) {
    life.history().stage_failed(key, stage);
    co_return absl::UnavailableError("try again");
  }
  const JsonValue* const in = find_member(*input, "in");
  co_return str_cat("{\"run\":\"", stage, "#", run,
                    "\",\"in\":", in == nullptr ? "null" : to_json(*in), "}");
}

// Longer than any deadline.
Co<absl::StatusOr<std::string>> hang(FakeCall&) {
  co_await sleep(absl::Hours(1));
  co_return "{}";
}

// Half of the daemons have a window so small that most of what waits is in the store alone.
EngineLimits limits_of(uint64_t seed) {
  EngineLimits limits;
  if (seed / 8 % 2 == 0) {
    limits.window = 1 + seed / 16 % 3;
    limits.running = 1 + seed / 48 % 2;
  }
  return limits;
}

bool passes(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnavailable ||
         status.code() == absl::StatusCode::kResourceExhausted;
}

}  // namespace

Life::Life(uint64_t seed, Disk& disk, History& history, const std::vector<ClientPlan>& plans,
           const StoreFaults& faults)
    : loop_(seed, seed % 2 == 0 ? SimOptions() : SimOptions::hostile()),
      clock_(loop_),
      random_(seed),
      disk_(disk),
      store_(disk.store(loop_, clock_, faults)),
      history_(history),
      plans_(plans),
      engine_(loop_, *store_, stages_, library_, clock_, random_, limits_of(seed)) {
  stages_.add("sim/step", &step, this);
  stages_.add("sim/hang", &hang, this);
  for (const std::string_view yaml : {kChain, kDiamond, kFan, kOnce, kStuck}) {
    absl::StatusOr<std::shared_ptr<const Pipeline>> pipeline =
        parse_pipeline(yaml, "simulation.yaml", nullptr);
    const absl::Status added =
        pipeline.ok() ? library_.add(*std::move(pipeline)) : pipeline.status();
    if (!added.ok()) history_.complain(added.ToString());
  }
}

absl::Duration Life::up_to(absl::Duration most) {
  return absl::Nanoseconds(random_() % static_cast<uint64_t>(absl::ToInt64Nanoseconds(most)));
}

absl::Status Life::run(absl::Duration start, absl::Duration crash_at) {
  start_ = start;
  crash_at_ = crash_at;
  return loop_.run(&Life::main, this);
}

Co<absl::Status> Life::main(Life* self) {
  co_await sleep(self->start_);
  absl::Status opened = co_await self->store_->open();
  absl::Status served = opened;
  if (opened.ok()) served = co_await with_group(&Life::serve, self);
  co_await self->store_->close();
  // It may die while it starts.
  co_return opened.ok() || !self->disk_.dead() ? served : absl::OkStatus();
}

Co<absl::Status> Life::serve(TaskGroup& group, Life* self) {
  group.spawn_named("engine", &Engine::run, &self->engine_);
  Task<void> reaper = group.spawn_named("reaper", &Life::reap, self);
  Outcome<void> ended = co_await self->alive_.run(with_group(&Life::clients, self));
  if (!ended.cancelled() && !ended.status().ok())
    self->history_.complain(ended.status().ToString());
  reaper.cancel();
  self->engine_.stop();
  co_return absl::OkStatus();
}

Co<absl::Status> Life::reap(Life* self) {
  co_await sleep(self->crash_at_);
  self->die();
  co_return absl::OkStatus();
}

void Life::die() {
  disk_.crash();
  alive_.cancel();
  engine_.stop();
}

Co<absl::Status> Life::clients(TaskGroup& group, Life* self) {
  for (const ClientPlan& plan : self->plans_) {
    group.spawn_named(plan.key, &Life::client, self, &plan);
  }
  co_return absl::OkStatus();
}

Co<absl::Status> Life::client(Life* self, const ClientPlan* plan) {
  const JobHistory& known = self->history_.jobs[plan->key];
  if (known.delete_asked) co_return absl::OkStatus();
  co_await sleep(self->up_to(absl::Milliseconds(40)));
  JobView job = co_await self->submit(*plan);
  if (plan->repeats) job = co_await self->submit(*plan);
  const std::string id = job->id();
  if (plan->cancels && !plan->watches && !known.cancel_asked) {
    co_await sleep(self->up_to(absl::Milliseconds(30)));
    co_await self->cancel(*plan, id);
  }
  // Nothing comes after what a watcher of an earlier life has seen to the end.
  if (plan->watches && known.ends.empty()) co_await self->watch(*plan, id);
  absl::StatusOr<JobView> end = co_await self->engine_.wait(id, absl::InfiniteFuture());
  if (!end.ok()) {
    self->history_.complain(str_cat(plan->key, ": wait: ", end.status().ToString()));
    co_return absl::OkStatus();
  }
  self->history_.ended(plan->key, **end);
  if (plan->deletes) co_await self->remove(*plan, id);
  co_return absl::OkStatus();
}

Co<JobView> Life::submit(const ClientPlan& plan) {
  for (;;) {
    SubmitRequest request;
    request.pipeline = plan.pipeline;
    request.input = str_cat("{\"key\":\"", plan.key, "\",\"items\":[1,2,3]}");
    request.request_id = plan.key;
    request.priority = plan.priority;
    request.timeout = plan.timeout;
    absl::StatusOr<JobView> job = co_await engine_.submit(std::move(request));
    if (job.ok()) {
      history_.acknowledged(plan.key, **job);
      co_return *std::move(job);
    }
    if (!passes(job.status())) {
      history_.complain(str_cat(plan.key, ": submit: ", job.status().ToString()));
    }
    co_await sleep(absl::Milliseconds(10));
  }
}

Co<void> Life::cancel(const ClientPlan& plan, std::string id) {
  if (history_.open()) history_.jobs[plan.key].cancel_asked = true;
  absl::StatusOr<JobView> asked = co_await engine_.request_cancel(id, CancelCause::kRequested);
  const bool fine = asked.ok() || passes(asked.status()) ||
                    asked.status().code() == absl::StatusCode::kFailedPrecondition;
  if (!fine) history_.complain(str_cat(plan.key, ": cancel: ", asked.status().ToString()));
}

// To the last event, from where the watcher of the life before was: none is missing, none comes
// twice, and the end comes once.
Co<void> Life::watch(const ClientPlan& plan, std::string id) {
  const JobHistory& known = history_.jobs[plan.key];
  absl::StatusOr<Watch> watch = co_await engine_.watch(id, known.last_sequence);
  if (!watch.ok()) {
    history_.complain(str_cat(plan.key, ": watch: ", watch.status().ToString()));
    co_return;
  }
  const uint64_t cancel_after = random_() % 4;
  bool finished = false;
  for (uint64_t seen = 0;; ++seen) {
    std::optional<JobEvent> event = co_await watch->next();
    if (!event.has_value()) break;
    history_.saw(plan.key, *event, seen > 0);
    if (finished) history_.complain(str_cat(plan.key, ": an event after the end"));
    finished = event->job != nullptr && event->job->finished();
    if (finished) history_.ended(plan.key, *event->job);
    if (plan.cancels && !known.cancel_asked && seen >= cancel_after) co_await cancel(plan, id);
  }
  if (!finished) history_.complain(str_cat(plan.key, ": the watch ended before the job did"));
}

Co<void> Life::remove(const ClientPlan& plan, std::string id) {
  if (history_.open()) history_.jobs[plan.key].delete_asked = true;
  absl::Status removed = co_await engine_.remove(id);
  if (!history_.open()) co_return;
  if (removed.ok()) {
    history_.jobs[plan.key].deleted = true;
  } else if (!passes(removed)) {
    history_.complain(str_cat(plan.key, ": delete: ", removed.ToString()));
  }
}

}  // namespace fermata::simulation
