// SubCalls: stages that a plugin's process calls. The server runs them, wherever they are, for the
// job, the deadline and the depth of the call that wants them, as it knows that call itself: the
// process is believed only what it wants, not who it is. They end when the process does. Loop
// thread only.
#ifndef SERVICES_STAGES_ISOLATED_SUB_CALLS_H_
#define SERVICES_STAGES_ISOLATED_SUB_CALLS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "services/stages/isolated/messages.h"
#include "services/stages/running_call.h"

namespace fermata {

class IsolatedPlugin;

class SubCalls {
 public:
  static constexpr size_t kMax = 10000;
  static constexpr size_t kPayloads = 4;  // so many of the largest input may they hold together

  explicit SubCalls(IsolatedPlugin& plugin);
  SubCalls(const SubCalls&) = delete;
  ~SubCalls();

  // `parent`: the call that wants it; null: an instance. InvalidArgument: the process breaks the
  // rules.
  absl::Status begin(uint64_t id, SubCallMessage message, const StageCallSpec* parent);
  // One that is not there has just ended: its result is on its way.
  void cancel(uint64_t id, uint32_t reason);
  // The process is gone.
  void drop_all();

 private:
  struct SubCall;
  void answer(uint64_t id, fermata_status status, StageOutcome outcome);

  IsolatedPlugin& plugin_;
  size_t bytes_ = 0;                                               // of the inputs of calls_
  absl::flat_hash_map<uint64_t, std::unique_ptr<SubCall>> calls_;  // by the process's number
};

}  // namespace fermata

#endif  // SERVICES_STAGES_ISOLATED_SUB_CALLS_H_
