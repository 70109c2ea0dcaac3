// FakeStages: stages written as plain coroutines, for tests of whatever calls stages.
//
//   Co<absl::StatusOr<std::string>> echo(FakeCall& call) { co_return call.request.input; }
//   FakeStages stages;
//   stages.add("test/echo", &echo);
//
// Cancelling a call destroys its frames, as the real stages do it. What is retryable follows the
// SDK's table. On the test's loop only.
#ifndef SERVICES_STAGES_TESTING_FAKE_STAGES_H_
#define SERVICES_STAGES_TESTING_FAKE_STAGES_H_

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/async/co.h"
#include "services/stages/stages.h"

namespace fermata {

struct FakeCall {
  FakeCall(StageRequest request, void* user) : request(std::move(request)), user(user) {}
  StageRequest request;
  void* user;  // what add() was given
  // Goes with the error that the stage returns.
  absl::Duration retry_after = absl::ZeroDuration();
  // With an error: as if the stage's process had died in it, which a fake may not be run twice
  // after.
  bool lost = false;

  void progress(double fraction, std::string_view note = {}) {
    if (request.observer != nullptr) request.observer->progress(fraction, note);
  }
};

class FakeStages final : public Stages {
 public:
  using Run = Co<absl::StatusOr<std::string>> (*)(FakeCall& call);

  // `use` is "plugin/stage". Input schemas are shown, not checked.
  void add(std::string_view use, Run run, void* user = nullptr, std::string_view input_schema = {});
  // The stage goes away: resolve() no longer finds it; who holds it may still call it.
  void remove(std::string_view use);

  const StageCounters& counters(std::string_view use) const;

  absl::StatusOr<StageRef> resolve(std::string_view use) const override;
  Co<StageOutcome> call(const StageRef& stage, StageRequest request) override;
  std::vector<PluginInfo> list() const override;

 private:
  struct FakeStage;
  static Co<StageOutcome> run(std::shared_ptr<FakeStage> fake, StageRequest request);

  std::map<std::string, std::shared_ptr<FakeStage>, std::less<>> stages_;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_TESTING_FAKE_STAGES_H_
