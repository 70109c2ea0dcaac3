// RunningCall and Callee: one call of a stage, wherever it runs, as whoever waits for it sees it.
//
// A stage of this process (StageInstance, StageCall), one in a process of its own
// (isolated/remote_stage.h), or, seen from such a process, one of the server's
// (plugin_host/sub_stage.h). Loop thread only.
#ifndef SERVICES_STAGES_RUNNING_CALL_H_
#define SERVICES_STAGES_RUNNING_CALL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "plugins/abi/fermata_abi.h"
#include "services/async/timer_heap.h"
#include "services/stages/buffer.h"
#include "services/stages/generation.h"
#include "services/stages/input_check.h"
#include "services/stages/stages.h"

namespace fermata {

class CallStageOp;

// What a call is asked to do.
struct StageCallSpec {
  std::string job_id;
  std::string trace_parent;
  Buffer input;
  int64_t deadline_ns = TimerHeap::kNever;
  uint32_t attempt = 1;
  uint32_t depth = 0;  // sub-stages inside each other
  // The engine's attempt for which it runs, as HostContext counts them: the same for every stage
  // that is called on its behalf. 0: none, or not known here (in a plugin's process).
  uint64_t root = 0;
  bool probe = false;
  uint64_t number = 0;  // in a plugin's process: the server's number of it
  StageObserver* observer = nullptr;
  CallStageOp* parent = nullptr;  // who hears chunks, when a stage called this one
  CallHold hold;                  // of a call from stage to stage; till its end is told
};

class RunningCall {
 public:
  // Hears once that the call has ended, from the loop's top level or from start_now(); then forgets
  // the call.
  class Owner {
   public:
    virtual void call_ended(RunningCall& call) noexcept = 0;

   protected:
    ~Owner() = default;
  };

  // Enters the plugin, if it is here; must not be called from inside it. The owner may hear the end
  // before this returns.
  virtual void start_now() noexcept = 0;
  // The same from the loop's next step.
  virtual void start_later() noexcept = 0;
  // FERMATA_CANCEL_*; the first reason stays. Never enters the plugin.
  virtual void cancel(uint32_t reason) noexcept = 0;
  // The owner goes away: the call is cancelled and nobody hears of it.
  virtual void disown(uint32_t reason) noexcept = 0;

  // How it ended; for the owner, in call_ended(). `outcome` is a fresh one.
  virtual void take_outcome(StageOutcome& outcome) = 0;
  virtual fermata_status status() const noexcept = 0;

 protected:
  ~RunningCall() = default;
};

class Callee {
 public:
  virtual bool open() const noexcept = 0;
  // Of each call's input; null accepts anything.
  virtual const std::shared_ptr<const JsonSchema>& input_schema() const noexcept = 0;
  // Not started yet; lives until its end is told, or it was disowned.
  virtual RunningCall& new_call(RunningCall::Owner& owner, StageCallSpec&& spec) = 0;

 protected:
  ~Callee() = default;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_RUNNING_CALL_H_
