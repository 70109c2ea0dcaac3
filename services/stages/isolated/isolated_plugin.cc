#include "services/stages/isolated/isolated_plugin.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/async/check.h"
#include "services/stages/absl_view.h"
#include "services/stages/static_checks.h"

namespace fermata {
namespace {

constexpr size_t kShownLines = 5;  // of stderr, in the log line about a crash

}  // namespace

bool RemoteStage::open() const noexcept { return plugin_.open(); }

RunningCall& RemoteStage::new_call(RunningCall::Owner& owner, StageCallSpec&& spec) {
  return plugin_.add_call(*this, owner, std::move(spec));
}

IsolatedPlugin::IsolatedPlugin(HostContext& host, PluginProcessOptions options,
                               RestartLimits restart, std::string label,
                               std::shared_ptr<ProcessStats> stats)
    : host_(host),
      options_(std::move(options)),
      label_(std::move(label)),
      stats_(std::move(stats)),
      policy_(restart),
      log_limit_(/*per_second=*/50, /*burst=*/200) {}

IsolatedPlugin::~IsolatedPlugin() {
  if (process_ != nullptr) --stats_->running;  // whoever waited for it was cancelled: it is killed
  FERMATA_CHECK(calls_.empty(), "a call outlived its plugin");
}

// ---- starting ---------------------------------------------------------------------------------

absl::Status IsolatedPlugin::spawn() {
  policy_.started(loop().now_ns());
  absl::StatusOr<std::unique_ptr<PluginProcess>> process =
      PluginProcess::start(loop(), options_, *this);
  if (!process.ok()) return process.status();
  process_ = *std::move(process);
  state_ = State::kStarting;
  ++stats_->starts;
  ++stats_->running;
  loop().timers().arm(timer_, loop().now_ns() + absl::ToInt64Nanoseconds(kStartMax));
  return absl::OkStatus();
}

Co<absl::StatusOr<std::vector<StageInfo>>> IsolatedPlugin::start() {
  FERMATA_CHECK(state_ == State::kNew, "a plugin is started once");
  absl::Status spawned = spawn();
  if (!spawned.ok()) {
    state_ = State::kEnded;
    co_return refusal(161, options_.file, std::string(spawned.message()));
  }
  co_await settled_.wait();
  if (!start_failure_.ok()) co_return start_failure_;
  co_return infos_;
}

Co<absl::Status> IsolatedPlugin::create(std::vector<std::unique_ptr<RemoteStage>> stages) {
  stages_ = std::move(stages);
  if (state_ != State::kLoaded) co_return start_failure_;
  settled_.clear();
  send_create();
  co_await settled_.wait();
  co_return start_failure_;
}

void IsolatedPlugin::send_create() {
  state_ = State::kCreating;
  told_metrics_.assign(stages_.size(), {});
  std::vector<std::string> configs;
  for (const auto& stage : stages_) configs.push_back(stage->config());
  send(FrameType::kCreate, 0, encode_configs(configs));
  loop().timers().arm(timer_, loop().now_ns() + absl::ToInt64Nanoseconds(kStartMax));
}

void IsolatedPlugin::created() {
  state_ = State::kReady;
  timer_.disarm();
  if (was_ready_) say(StageLogLevel::kInfo, absl::StrCat("runs again, as process ", pid()));
  was_ready_ = true;
  settled_.set();
  for (auto& [number, call] : calls_) call->process_ready();
}

void IsolatedPlugin::fail_start(absl::Status why) {
  start_failure_ = std::move(why);
  if (timer_.armed()) timer_.disarm();
  settled_.set();
}

void IsolatedPlugin::restart() noexcept {
  ++stats_->restarts;
  const absl::Status spawned = spawn();
  if (spawned.ok()) return;
  // This server's trouble (descriptors, memory), not the plugin's: no crash, and calls go on
  // waiting.
  last_end_ = std::string(spawned.message());
  next_start_ns_ = loop().now_ns() + absl::ToInt64Nanoseconds(kStartAgain);
  state_ = State::kBackingOff;
  loop().timers().arm(timer_, next_start_ns_);
  say(StageLogLevel::kError,
      absl::StrCat(last_end_, "; tried again in ", absl::FormatDuration(kStartAgain)));
}

void IsolatedPlugin::timer_fired(Timer& timer) noexcept {
  static_cast<OwnTimer&>(timer).plugin.timer_due();
}

void IsolatedPlugin::timer_due() noexcept {
  switch (state_) {
    case State::kBreakerOpen:
      --stats_->breaker_open;
      restart();
      return;
    case State::kBackingOff:
      restart();
      return;
    case State::kStarting:
    case State::kCreating:
      kill_because("hang", absl::StrCat("was not ready after ", absl::FormatDuration(kStartMax)));
      return;
    case State::kClosing:
      kill_because("close", "did not end after it was told to close");
      return;
    default:
      return;
  }
}

// ---- the end of a process ---------------------------------------------------------------------

void IsolatedPlugin::on_ended(ProcessEnd end) noexcept {
  timer_.disarm();
  if (process_ != nullptr) --stats_->running;
  const std::unique_ptr<PluginProcess> gone = std::move(process_);
  last_end_ = end.how;
  if (!end.asked) {
    ++stats_->crashes[end.cause];
    std::string tail;
    const size_t shown = std::min(kShownLines, end.stderr_tail.size());
    if (shown > 0) {
      tail = absl::StrCat("; its last words: ",
                          absl::StrJoin(end.stderr_tail.end() - static_cast<ptrdiff_t>(shown),
                                        end.stderr_tail.end(), " | "));
    }
    say(StageLogLevel::kError, absl::StrCat("its process died: ", end.how, tail));
  }
  lose_calls(end);
  sub_calls_.drop_all();
  if (closing_ || state_ == State::kNew) {
    state_ = State::kEnded;
    turn_waiting_away();
    settled_.set();
    return;
  }
  if (!was_ready_) {
    state_ = State::kEnded;
    if (start_failure_.ok()) {
      fail_start(refusal(161, options_.file,
                         absl::StrCat("its process died while it was loaded: ", end.how)));
    }
    return;
  }
  const RestartPolicy::Verdict verdict = policy_.crashed(loop().now_ns(), random_);
  if (verdict.breaker_open) {
    open_breaker(verdict);
    return;
  }
  next_start_ns_ = loop().now_ns() + verdict.wait_ns;
  state_ = State::kBackingOff;
  loop().timers().arm(timer_, next_start_ns_);
}

void IsolatedPlugin::open_breaker(const RestartPolicy::Verdict& verdict) {
  const absl::Duration wait = verdict.disabled ? kDisabledWait : absl::Nanoseconds(verdict.wait_ns);
  next_start_ns_ = loop().now_ns() + absl::ToInt64Nanoseconds(wait);
  state_ = verdict.disabled ? State::kDisabled : State::kBreakerOpen;
  if (!verdict.disabled) loop().timers().arm(timer_, next_start_ns_);
  ++stats_->breaker_open;
  const absl::Status said = refusal(
      195, absl::StrCat(options_.plugin_id, " ", options_.version),
      absl::StrCat(
          "crashes in a loop, last ", last_end_, "; its stages are ",
          verdict.disabled
              ? absl::StrCat("disabled, jobs wait - load another version, or try this "
                             "one again: fermata plugin reload ",
                             options_.file)
              : absl::StrCat("unavailable for ", absl::FormatDuration(wait), ", jobs wait")));
  say(StageLogLevel::kError, std::string(said.message()));
  turn_waiting_away();
}

// The calls named by the crash page are to blame; what the page says is checked against what runs.
// So is a call on whose behalf such a one ran: or its job would kill one process after the other,
// free of charge.
void IsolatedPlugin::lose_calls(const ProcessEnd& end) {
  std::vector<uint64_t> numbers;          // hearing of it may end more of them
  std::map<uint64_t, std::string> roots;  // of the guilty, and which stage it was
  for (const auto& [number, call] : calls_) {
    numbers.push_back(number);
    const bool guilty =
        std::find(end.suspects.begin(), end.suspects.end(), number) != end.suspects.end();
    if (!guilty || call->state() != RemoteCall::State::kRunning) continue;
    const std::string& use = call->stage().info().use;
    say(StageLogLevel::kError,
        absl::StrCat("the crash was in stage ", use, ", jobs/", call->spec().job_id));
    if (call->spec().root != 0 && call->spec().depth > 0) roots.emplace(call->spec().root, use);
  }
  for (uint64_t number : numbers) {
    const auto found = calls_.find(number);
    if (found == calls_.end()) continue;
    RemoteCall& call = *found->second;
    const bool guilty =
        std::find(end.suspects.begin(), end.suspects.end(), number) != end.suspects.end();
    const auto below = call.spec().depth == 0 ? roots.find(call.spec().root) : roots.end();
    if (guilty || below == roots.end()) {
      call.lost(guilty, end.how);
    } else {
      call.lost(true, absl::StrCat(end.how, " in ", below->second, ", which it called,"));
    }
  }
}

void IsolatedPlugin::turn_waiting_away() {
  std::vector<uint64_t> numbers;
  for (const auto& [number, call] : calls_) numbers.push_back(number);
  for (uint64_t number : numbers) {
    const auto found = calls_.find(number);
    if (found != calls_.end()) found->second->no_process(wait_ns());
  }
}

int64_t IsolatedPlugin::wait_ns() const {
  return std::max<int64_t>(next_start_ns_ - loop().now_ns(), 0);
}

std::string IsolatedPlugin::unavailable_text(std::string_view use) const {
  if (!open()) return absl::StrCat(absl_view(use), ": the server is shutting down");
  const std::string when =
      state_ == State::kDisabled
          ? absl::StrCat("it is disabled until fermata plugin reload ", options_.file)
          : absl::StrCat("it is tried again in ",
                         absl::FormatDuration(absl::Nanoseconds(wait_ns())));
  return absl::StrCat(absl_view(use), " is unavailable: the process of ", options_.plugin_id, " ",
                      options_.version, " crashes in a loop, last ", last_end_, "; ", when);
}

std::string IsolatedPlugin::state_text() const {
  switch (state_) {
    case State::kNew:
    case State::kStarting:
    case State::kLoaded:
    case State::kCreating:
      return "starting";
    case State::kReady:
      return absl::StrCat("ready, process ", pid());
    case State::kBackingOff:
      return absl::StrCat("died: ", last_end_, "; starts again in ",
                          absl::FormatDuration(absl::Nanoseconds(wait_ns())));
    case State::kBreakerOpen:
      return absl::StrCat("crashes in a loop: ", last_end_, "; tried again in ",
                          absl::FormatDuration(absl::Nanoseconds(wait_ns())));
    case State::kDisabled:
      return absl::StrCat("disabled, it crashes in a loop: ", last_end_);
    case State::kClosing:
      return "closing";
    case State::kEnded:
      return "ended";
  }
  return "";
}

// ---- closing ----------------------------------------------------------------------------------

void IsolatedPlugin::preempt() {
  for (auto& [number, call] : calls_) call->preempt();
}

void IsolatedPlugin::begin_close() {
  if (std::exchange(closing_, true)) return;
  if (state_ == State::kBreakerOpen || state_ == State::kDisabled) --stats_->breaker_open;
  if (process_ == nullptr) {
    timer_.disarm();
    state_ = State::kEnded;
    turn_waiting_away();
    return;
  }
  state_ = State::kClosing;
  settled_.clear();
  process_->expect_end();
  send(FrameType::kClose, 0, {});
  // It gives its calls the grace period, and its instances another one.
  loop().timers().arm(timer_,
                      loop().now_ns() + 2 * options_.cancel_grace_ns + RemoteCall::kAfterGraceNs);
}

Co<void> IsolatedPlugin::close() {
  begin_close();
  while (process_ != nullptr) co_await settled_.wait();
}

void IsolatedPlugin::kill_because(std::string_view cause, std::string_view how) {
  if (process_ != nullptr) process_->kill(cause, how);
}

// ---- calls ------------------------------------------------------------------------------------

RemoteCall& IsolatedPlugin::add_call(RemoteStage& stage, RunningCall::Owner& owner,
                                     StageCallSpec spec) {
  spec.number = next_call_++;
  const uint64_t number = spec.number;
  auto call = std::make_unique<RemoteCall>(stage, owner, std::move(spec));
  return *calls_.emplace(number, std::move(call)).first->second;
}

void IsolatedPlugin::forget(RemoteCall& call) { calls_.erase(call.number()); }

void IsolatedPlugin::say(StageLogLevel level, std::string_view message) const {
  if (host_.log) host_.log({options_.plugin_id, options_.version, "", level, message});
}

}  // namespace fermata
