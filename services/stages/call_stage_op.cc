#include "services/stages/call_stage_op.h"

#include <utility>

#include "services/stages/buffer_ref.h"
#include "services/stages/stage_instance.h"

namespace fermata {

void CallStageOp::begin(Callee& callee, StageCallSpec spec) {
  spec.parent = this;
  child_ = &callee.new_call(*this, std::move(spec));
  child_->start_later();  // its plugin may be the one that is calling right now
}

void CallStageOp::set_text(std::string_view text) { event.buf = take_string(std::string(text)); }

void CallStageOp::refuse(const absl::Status& status) {
  set_text(std::string(status.message()));
  call().complete_later(*this, FERMATA_E_INVALID);
}

bool CallStageOp::stop() noexcept {
  const uint32_t reason = call().cancel_reason();
  child_->cancel(reason != 0 ? reason : FERMATA_CANCEL_REQUESTED);
  return false;
}

void CallStageOp::call_ended(RunningCall& child) noexcept {
  child_ = nullptr;
  StageOutcome outcome;
  child.take_outcome(outcome);
  if (outcome.status.ok()) {
    event.buf = outcome.output.raw();
    if (event.buf.ref != nullptr) retain_ref(event.buf.ref);
  } else {
    set_text(std::string(outcome.status.message()));
    if (outcome.lost) call().lost_below(outcome);
  }
  call().complete_later(*this,
                        child.status() == FERMATA_PENDING ? FERMATA_E_CANCELLED : child.status());
}

}  // namespace fermata
