// What a call needs once it has offloaded: the mail of its workers and the note that announces it
// to the loop.
#ifndef SERVICES_STAGES_WORKER_BOX_H_
#define SERVICES_STAGES_WORKER_BOX_H_

#include "services/stages/stage_call.h"
#include "services/stages/worker_mail.h"

namespace fermata {

struct StageCall::WorkerBox : PostNode {
  explicit WorkerBox(StageCall& call) noexcept
      : PostNode([](PostNode& node) noexcept {
          static_cast<WorkerBox&>(node).call.take_worker_mail(WorkerMail::Taker::kNote);
        }),
        call(call) {}
  StageCall& call;
  WorkerMail mail;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_WORKER_BOX_H_
