// CallStageOp: a call waits for another stage's call. The child inherits deadline, trace and
// cancellation; the parent does not finish while it runs.
#ifndef SERVICES_STAGES_CALL_STAGE_OP_H_
#define SERVICES_STAGES_CALL_STAGE_OP_H_

#include "absl/status/status.h"
#include "services/stages/stage_call.h"

namespace fermata {

class CallStageOp final : public CallOp, public RunningCall::Owner {
 public:
  CallStageOp(StageCall& call, uint64_t token, uint32_t flags) noexcept
      : CallOp(call, FERMATA_EV_STAGE, token, flags) {}
  void begin(Callee& callee, StageCallSpec spec);
  // The input is not what the stage takes: its one event says so.
  void refuse(const absl::Status& status);
  void chunk(const Buffer& bytes) noexcept { call().chunk_from_child(token(), bytes); }

  bool stop() noexcept override;
  void call_ended(RunningCall& child) noexcept override;

 private:
  void set_text(std::string_view text);
  RunningCall* child_ = nullptr;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_CALL_STAGE_OP_H_
