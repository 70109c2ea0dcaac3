#include "services/stages/isolated/sub_calls.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/stages/isolated/isolated_plugin.h"
#include "services/stages/stage_instance.h"

namespace fermata {

struct SubCalls::SubCall final : RunningCall::Owner, StageObserver {
  SubCall(SubCalls& all, uint64_t id, size_t bytes) : all(all), id(id), bytes(bytes) {
    all.bytes_ += bytes;
  }
  ~SubCall() {
    all.bytes_ -= bytes;
    if (call != nullptr) call->disown(FERMATA_CANCEL_SHUTDOWN);
  }
  void call_ended(RunningCall& ended) noexcept override {
    call = nullptr;
    const fermata_status status = ended.status();
    StageOutcome outcome;
    ended.take_outcome(outcome);
    all.answer(id, status == FERMATA_PENDING ? FERMATA_E_CANCELLED : status, std::move(outcome));
    all.calls_.erase(id);  // this
  }
  void chunk(const Buffer& bytes) override {
    all.plugin_.send(FrameType::kSubChunk, id, bytes.view());
  }

  SubCalls& all;
  const uint64_t id;
  const size_t bytes;  // of its input
  RunningCall* call = nullptr;
};

SubCalls::SubCalls(IsolatedPlugin& plugin) : plugin_(plugin) {}
SubCalls::~SubCalls() { drop_all(); }

absl::Status SubCalls::begin(uint64_t id, SubCallMessage message, const StageCallSpec* parent) {
  if (calls_.contains(id)) {
    return absl::InvalidArgumentError(absl::StrCat("sub-call ", id, " runs already"));
  }
  if (calls_.size() >= kMax) {
    return absl::InvalidArgumentError(absl::StrCat("more than ", kMax, " sub-calls at once"));
  }
  if (bytes_ + message.input.size() > kPayloads * plugin_.payload_max()) {
    StageOutcome much;
    much.status = absl::ResourceExhaustedError(
        absl::StrCat("the sub-calls of this plugin's process hold ", bytes_,
                     " bytes of input, at most ", kPayloads * plugin_.payload_max(), " with the ",
                     message.input.size(), " of this one - wait for some of them first"));
    answer(id, FERMATA_E_NOMEM, std::move(much));
    return absl::OkStatus();
  }
  const HostContext& host = plugin_.host();
  StageTarget target;
  if (host.find_stage && plugin_.generation() != nullptr) {
    target = host.find_stage(message.use, *plugin_.generation());
  }
  Callee* const callee =
      target.generation != nullptr ? target.generation->callee(target.stage) : nullptr;
  StageOutcome refused;
  if (callee == nullptr || !callee->open()) {
    refused.status = absl::UnimplementedError(absl::StrCat("no stage '", message.use, "'"));
    answer(id, FERMATA_E_UNSUPPORTED, std::move(refused));
    return absl::OkStatus();
  }
  StageCallSpec spec;
  spec.deadline_ns = message.deadline_ns;
  if (parent != nullptr) {
    spec.job_id = parent->job_id;
    spec.trace_parent = parent->trace_parent;
    spec.attempt = parent->attempt;
    spec.depth = parent->depth + 1;
    spec.root = parent->root;
    spec.deadline_ns = std::min(message.deadline_ns, parent->deadline_ns);
  }
  absl::StatusOr<std::string> checked =
      check_json(callee->input_schema().get(), std::move(message.input));
  if (checked.ok() && spec.depth > host.max_depth) {
    checked = absl::InvalidArgumentError(
        absl::StrCat("stages call each other ", spec.depth, " deep, at most ", host.max_depth));
  }
  if (!checked.ok()) {
    refused.status = absl::InvalidArgumentError(checked.status().message());
    answer(id, FERMATA_E_INVALID, std::move(refused));
    return absl::OkStatus();
  }
  SubCall& sub =
      *calls_.emplace(id, std::make_unique<SubCall>(*this, id, checked->size())).first->second;
  if (message.wants_chunks) spec.observer = &sub;
  spec.input = Buffer(*std::move(checked));
  spec.hold = CallHold(*target.generation);
  sub.call = &callee->new_call(sub, std::move(spec));
  sub.call->start_later();
  return absl::OkStatus();
}

void SubCalls::cancel(uint64_t id, uint32_t reason) {
  const auto found = calls_.find(id);
  if (found != calls_.end() && found->second->call != nullptr) found->second->call->cancel(reason);
}

void SubCalls::drop_all() {
  auto calls = std::move(calls_);
  calls_.clear();
}

void SubCalls::answer(uint64_t id, fermata_status status, StageOutcome outcome) {
  EndMessage end;
  end.status = status;
  end.outcome = std::move(outcome);
  // What an instance here would be told: nothing of how it failed but the status and the text.
  if (status == FERMATA_OK) end.outcome.status = absl::OkStatus();
  plugin_.send(FrameType::kSubResult, id, end.encode());
}

}  // namespace fermata
