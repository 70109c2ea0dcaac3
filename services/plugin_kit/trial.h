// One instance, one call run to its end under a plan, and everything destroyed: the unit that most
// checks repeat with another fault each time.
#ifndef SERVICES_PLUGIN_KIT_TRIAL_H_
#define SERVICES_PLUGIN_KIT_TRIAL_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/abi/fermata_abi.h"
#include "services/plugin_kit/lab_host.h"
#include "services/plugin_kit/subject.h"

namespace fermata::kit {

struct Trial {
  bool created = false;
  std::string create_failure;
  fermata_status status = FERMATA_PENDING;
  bool has_output = false;
  std::string output;
  std::string failure;
  size_t chunks = 0;
  uint32_t ops = 0, events = 0, buffers = 0, entries = 0;
  bool fault_happened = false;
  size_t live_buffers = 0;  // when all was destroyed
  size_t live_wakers = 0;
  int64_t longest_hold_ns = 0;
  uint64_t lingered_ns = 0;  // virtual: from its cancellation to its end
  std::vector<LabMetric> metrics;
  std::vector<Violation> violations;

  // "OK \"ABC\"", "E_INVALID: no such host": for messages.
  std::string outcome() const;
  // The first of these rules, or what is still held; nothing when all is well.
  std::optional<std::string> fault(std::initializer_list<Rule> rules = {}) const;
};

struct TrialCase {
  const fermata_stage* stage;
  std::string config;
  Sample sample;
  // "upper, sample hello": for messages.
  std::string name() const;
};
// Every stage with every sample. FailedPrecondition when the plugin cannot be loaded or a stage has
// no config that create() takes.
absl::StatusOr<std::vector<TrialCase>> trial_cases(Subject& subject);

Trial run_trial(Subject& subject, const TrialCase& which, const LabPlan& plan,
                uint64_t timeout_ns = 0);

// At most so many places for a fault in one sweep: the first ones, then some of the rest.
std::vector<uint32_t> places(uint32_t count);

// One line, cut, printable.
std::string short_text(std::string_view text);

}  // namespace fermata::kit

#endif  // SERVICES_PLUGIN_KIT_TRIAL_H_
