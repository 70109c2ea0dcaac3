#include "services/plugin_host/server_stages.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/plugin_host/plugin_server.h"
#include "services/stages/call_stage_op.h"
#include "services/stages/isolated/payload.h"

namespace fermata {

class ServerStages::ServerStage final : public Callee {
 public:
  ServerStage(ServerStages& all, std::string use) : all_(all), use_(std::move(use)) {}
  bool open() const noexcept override { return true; }
  const std::shared_ptr<const JsonSchema>& input_schema() const noexcept override {
    return no_schema_;  // the server checks
  }
  RunningCall& new_call(RunningCall::Owner& owner, StageCallSpec&& spec) override;

 private:
  ServerStages& all_;
  const std::string use_;
  const std::shared_ptr<const JsonSchema> no_schema_;
};

// Ends when the server says so, or with the process.
class ServerStages::ServerCall final : public RunningCall {
 public:
  ServerCall(ServerStages& all, uint64_t id, Owner& owner, StageCallSpec spec, std::string_view use)
      : all_(all), id_(id), owner_(&owner), spec_(std::move(spec)), use_(use) {}

  void start_now() noexcept override {
    SubCallMessage message;
    message.parent = spec_.parent != nullptr ? spec_.parent->call().spec().number : 0;
    message.deadline_ns = spec_.deadline_ns;
    message.wants_chunks = spec_.parent != nullptr;
    message.use = use_;
    message.input = spec_.input.view();
    all_.server_.send(FrameType::kSubCall, id_, message.encode());
  }
  // Only a frame is queued: this never enters a plugin.
  void start_later() noexcept override { start_now(); }
  void cancel(uint32_t reason) noexcept override {
    PayloadWriter payload;
    all_.server_.send(FrameType::kSubCancel, id_, payload.put(reason).take());
  }
  void disown(uint32_t reason) noexcept override {
    owner_ = nullptr;
    spec_.parent = nullptr;
    cancel(reason);
  }
  void take_outcome(StageOutcome& outcome) override { outcome = std::move(outcome_); }
  fermata_status status() const noexcept override { return status_; }

  void ended(EndMessage end) {
    status_ = end.status;
    outcome_ = std::move(end.outcome);
    Owner* owner = std::exchange(owner_, nullptr);
    if (owner != nullptr) owner->call_ended(*this);
  }
  void chunk(std::string_view bytes) {
    if (spec_.parent != nullptr) spec_.parent->chunk(Buffer::copy_of(bytes));
  }

 private:
  ServerStages& all_;
  const uint64_t id_;
  Owner* owner_;
  StageCallSpec spec_;
  const std::string use_;
  StageOutcome outcome_;
  fermata_status status_ = FERMATA_PENDING;
};

RunningCall& ServerStages::ServerStage::new_call(RunningCall::Owner& owner, StageCallSpec&& spec) {
  const uint64_t id = all_.next_++;
  auto call = std::make_unique<ServerCall>(all_, id, owner, std::move(spec), use_);
  return *all_.calls_.emplace(id, std::move(call)).first->second;
}

ServerStages::ServerStages(PluginServer& server) : server_(server) {}
ServerStages::~ServerStages() = default;

Callee* ServerStages::stage(std::string_view use) {
  const auto found = stages_.find(use);
  if (found != stages_.end()) return found->second.get();
  if (stages_.size() >= kNamesMax) return nullptr;
  auto stage = std::make_unique<ServerStage>(*this, std::string(use));
  return stages_.emplace(std::string(use), std::move(stage)).first->second.get();
}

void ServerStages::ended(uint64_t id, std::string_view payload) {
  absl::StatusOr<EndMessage> end = EndMessage::decode(payload);
  const auto found = calls_.find(id);
  FERMATA_CHECK(end.ok() && found != calls_.end(), "the server answers each sub-call once");
  const std::unique_ptr<ServerCall> call = std::move(found->second);
  calls_.erase(found);
  call->ended(*std::move(end));
}

void ServerStages::chunk(uint64_t id, std::string_view bytes) {
  const auto found = calls_.find(id);
  if (found != calls_.end()) found->second->chunk(bytes);
}

}  // namespace fermata
