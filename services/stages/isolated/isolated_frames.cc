// What IsolatedPlugin does with each frame: the part that faces a stranger's process.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/stages/isolated/isolated_plugin.h"
#include "services/stages/isolated/payload.h"
#include "services/stages/plugin_note.h"
#include "services/stages/static_checks.h"

namespace fermata {
namespace {

absl::Status breach(std::string what) {
  return absl::InvalidArgumentError(absl::StrCat("bad frame: ", what));
}

}  // namespace

void IsolatedPlugin::on_frame(const Frame& frame) noexcept {
  const absl::Status handled = handle(frame);
  if (handled.ok()) return;
  kill_because("protocol", std::string(handled.message()));
}

absl::Status IsolatedPlugin::handle(const Frame& frame) {
  switch (frame.type) {
    case FrameType::kHello:
      return handle_hello(frame.payload);
    case FrameType::kCreated:
      return handle_created(frame.payload);
    case FrameType::kLog:
      return handle_log(frame.call, frame.payload);
    case FrameType::kMetrics:
      return handle_metrics(frame.call, frame.payload);
    case FrameType::kSubCall:
      return handle_sub_call(frame.call, frame.payload);
    case FrameType::kSubCancel: {
      PayloadReader in(frame.payload);
      const uint32_t reason = in.get<uint32_t>();
      if (!in.done()) return breach("the payload of SUB_CANCEL");
      sub_calls_.cancel(frame.call, reason);
      return absl::OkStatus();
    }
    default:
      break;
  }
  // The rest is about a call that runs. One that does not was never started, or finished already.
  const auto found = calls_.find(frame.call);
  if (found == calls_.end() || found->second->state() < RemoteCall::State::kRunning) {
    return breach(absl::StrCat("call ", frame.call, " does not run"));
  }
  RemoteCall& call = *found->second;
  switch (frame.type) {
    case FrameType::kFinish: {
      absl::StatusOr<EndMessage> end = EndMessage::decode(frame.payload);
      if (!end.ok()) return end.status();
      if (end->status == FERMATA_OK) policy_.proved_good();
      const bool held = end->result == StageResult::kAbandoned;
      call.finished(*std::move(end));
      if (held) {
        // In the server its code would have to be kept for ever; here it can go.
        kill_because("cancel", "did not let go of a cancelled call within the grace period");
      }
      return absl::OkStatus();
    }
    case FrameType::kEmit:
      call.chunk(frame.payload);
      return absl::OkStatus();
    case FrameType::kProgress: {
      const absl::StatusOr<ProgressMessage> progress = ProgressMessage::decode(frame.payload);
      if (!progress.ok()) return progress.status();
      call.progress(*progress);
      return absl::OkStatus();
    }
    default:
      return breach("a type that nobody handles");
  }
}

absl::Status IsolatedPlugin::handle_hello(std::string_view payload) {
  if (state_ == State::kClosing) return absl::OkStatus();
  if (state_ != State::kStarting) return breach("HELLO twice");
  absl::StatusOr<Hello> hello = Hello::decode(payload);
  if (!hello.ok()) return hello.status();
  if (!hello->refusal.empty()) {
    if (was_ready_) return breach(absl::StrCat("it does not load any more: ", hello->refusal));
    process_->expect_end();
    fail_start(absl::FailedPreconditionError(hello->refusal));
    return absl::OkStatus();
  }
  const std::string short_name = short_plugin_name(options_.plugin_id);
  for (StageInfo& stage : hello->stages) {
    stage.plugin_id = options_.plugin_id;
    stage.version = options_.version;
    stage.use = absl::StrCat(short_name, "/", stage.name);
  }
  if (!was_ready_) {
    infos_ = std::move(hello->stages);
    state_ = State::kLoaded;
    timer_.disarm();
    settled_.set();
    return absl::OkStatus();
  }
  bool same = hello->stages.size() == infos_.size();
  for (size_t i = 0; same && i < infos_.size(); ++i) {
    same = hello->stages[i].name == infos_[i].name;
  }
  if (!same) return breach("other stages than before");
  send_create();
  return absl::OkStatus();
}

absl::Status IsolatedPlugin::handle_created(std::string_view payload) {
  if (state_ == State::kClosing) return absl::OkStatus();
  if (state_ != State::kCreating) return breach("CREATED that nobody asked for");
  const std::optional<absl::Status> answer = decode_status(payload);
  if (!answer) return breach("the payload of CREATED");
  if (answer->ok()) {
    created();
  } else if (was_ready_) {
    return *answer;
  } else {
    fail_start(*answer);
  }
  return absl::OkStatus();
}

absl::Status IsolatedPlugin::handle_log(uint64_t number, std::string_view payload) {
  const absl::StatusOr<LogMessage> log = LogMessage::decode(payload);
  if (!log.ok()) return log.status();
  if (log->stage >= stages_.size()) return breach("LOG of no stage");
  const RemoteStage& stage = *stages_[log->stage];
  if (!log_limit_.admit(loop().now_ns())) {
    ++stage.counters().logs_dropped;
    return absl::OkStatus();
  }
  // A call may have ended while its last words were on their way.
  const auto found = calls_.find(number);
  const bool running = number != 0 && found != calls_.end();
  if (running) found->second->log(log->level, log->text);
  if (host_.log) {
    const auto level =
        static_cast<StageLogLevel>(std::min<uint32_t>(log->level, FERMATA_LOG_ERROR));
    host_.log({options_.plugin_id, stage.info().name,
               running ? std::string_view(found->second->spec().job_id) : std::string_view(), level,
               log->text});
  }
  return absl::OkStatus();
}

absl::Status IsolatedPlugin::handle_metrics(uint64_t stage, std::string_view payload) {
  if (stage >= told_metrics_.size()) return breach("METRICS of no stage");
  absl::StatusOr<std::vector<PluginMetric>> metrics = decode_metrics(payload);
  if (!metrics.ok()) return metrics.status();
  if (!stages_[stage]->metrics().add_from_process(*std::move(metrics), told_metrics_[stage])) {
    return breach("METRICS");
  }
  return absl::OkStatus();
}

absl::Status IsolatedPlugin::handle_sub_call(uint64_t id, std::string_view payload) {
  absl::StatusOr<SubCallMessage> message = SubCallMessage::decode(payload);
  if (!message.ok()) return message.status();
  const StageCallSpec* parent = nullptr;
  if (message->parent != 0) {
    const auto found = calls_.find(message->parent);
    if (found == calls_.end() || found->second->state() < RemoteCall::State::kRunning) {
      return breach(absl::StrCat("a sub-call of call ", message->parent, ", which does not run"));
    }
    parent = &found->second->spec();
  }
  return sub_calls_.begin(id, *std::move(message), parent);
}

void IsolatedPlugin::on_stderr(std::string_view line) noexcept {
  if (!host_.log || !log_limit_.admit(loop().now_ns())) return;
  host_.log({options_.plugin_id, "stderr", "", StageLogLevel::kInfo, line});
}

}  // namespace fermata
