// D: one call at a time, with nothing wrong, and then with one thing wrong in every place.
#include <algorithm>
#include <functional>
#include <string>

#include "services/config/json.h"
#include "services/config/str_cat.h"
#include "services/plugin_kit/trial.h"
#include "services/stages/loaded_plugin.h"

namespace fermata::kit {
namespace {

bool same_json(const std::string& a, const std::string& b) {
  const absl::StatusOr<JsonDocument> left = parse_json(a);
  const absl::StatusOr<JsonDocument> right = parse_json(b);
  if (!left.ok() || !right.ok()) return a == b;
  return *left == *right;
}

// Each case once; `judge` says what is wrong with a trial, or "".
Result for_each_case(Subject& subject, const LabPlan& plan,
                     const std::function<std::string(const TrialCase&, const Trial&)>& judge) {
  const absl::StatusOr<std::vector<TrialCase>> cases = trial_cases(subject);
  if (!cases.ok()) return fail(std::string(cases.status().message()));
  std::string ended;
  for (const TrialCase& which : *cases) {
    const Trial trial = run_trial(subject, which, plan);
    if (!trial.created) return skip(str_cat(which.name(), ": ", trial.outcome()));
    if (std::string wrong = judge(which, trial); !wrong.empty()) {
      return fail(str_cat(which.name(), ": ", wrong));
    }
    if (ended.empty()) ended = str_cat(which.name(), " ended ", trial.outcome());
  }
  return pass(str_cat(cases->size(), " calls; ", ended));
}

using PlanAt = LabPlan (*)(uint32_t place, uint32_t variant);
using PlacesOf = uint32_t (*)(const Trial& clean);

// Every case with the fault in every place, in each of its variants.
Result sweep(Subject& subject, std::string_view what, PlacesOf count, uint32_t variants,
             PlanAt plan_at, const std::function<std::string(const Trial&)>& judge) {
  const absl::StatusOr<std::vector<TrialCase>> cases = trial_cases(subject);
  if (!cases.ok()) return fail(std::string(cases.status().message()));
  uint32_t runs = 0;
  for (const TrialCase& which : *cases) {
    const Trial clean = run_trial(subject, which, LabPlan());
    if (!clean.created) return skip(str_cat(which.name(), ": ", clean.outcome()));
    for (uint32_t place : places(count(clean))) {
      for (uint32_t variant = 0; variant < variants; ++variant) {
        const Trial trial = run_trial(subject, which, plan_at(place, variant));
        if (!trial.fault_happened) continue;
        ++runs;
        std::optional<std::string> fault = trial.fault();
        std::string wrong = fault ? *fault : judge(trial);
        if (wrong.empty()) continue;
        return fail(str_cat(which.name(), ", ", what, " ", place, " of ", count(clean), ": ", wrong,
                            " (ended ", trial.outcome(), ")"));
      }
    }
  }
  if (runs == 0) return pass(str_cat("no ", what, " in any call: nothing to go wrong"));
  return pass(str_cat(runs, " runs, each ended as it should and gave everything back"));
}

}  // namespace

Result check_happy_path(Subject& subject) {
  bool compared = false;
  Result result = for_each_case(
      subject, LabPlan(), [&](const TrialCase& which, const Trial& trial) -> std::string {
        if (const auto fault = trial.fault({Rule::kOutput, Rule::kStatus})) return *fault;
        if (trial.status == FERMATA_OK && trial.has_output && !parse_json(trial.output).ok()) {
          return str_cat("its output is not JSON: ", short_text(trial.output));
        }
        if (!which.sample.expected) return "";
        compared = true;
        if (trial.status != FERMATA_OK) {
          return str_cat("ended ", trial.outcome(), ", expected the output ",
                         short_text(*which.sample.expected));
        }
        const std::string output = trial.has_output ? trial.output : "null";
        if (same_json(output, *which.sample.expected)) return "";
        return str_cat("gave ", short_text(output), ", expected ",
                       short_text(*which.sample.expected));
      });
  if (result.outcome == Outcome::kPass && !compared) {
    result.why += "; no testdata/<stage>/NAME.in and .out to compare with";
  }
  return result;
}

Result check_token_discipline(Subject& subject) {
  return for_each_case(subject, LabPlan(), [](const TrialCase&, const Trial& trial) {
    return trial.fault({Rule::kToken, Rule::kHang, Rule::kEnded}).value_or("");
  });
}

Result check_finish_once(Subject& subject) {
  return for_each_case(subject, LabPlan(), [](const TrialCase&, const Trial& trial) {
    if (const auto fault = trial.fault({Rule::kEnded})) return *fault;
    return trial.live_wakers > 0 ? trial.fault().value_or("") : std::string();
  });
}

Result check_cancel_everywhere(Subject& subject) {
  return sweep(
      subject, "cancelled before event", [](const Trial& clean) { return clean.events; }, 2,
      [](uint32_t place, uint32_t variant) {
        LabPlan plan;
        plan.cancel_before_event = place;
        plan.cancel_reason = variant == 0 ? FERMATA_CANCEL_REQUESTED : FERMATA_CANCEL_SHUTDOWN;
        plan.cancel_wins = variant == 0;
        return plan;
      },
      [](const Trial& trial) -> std::string {
        // Longer than this the server does not wait: the call would be abandoned.
        constexpr uint64_t kGraceNs = 5'000'000'000;
        if (trial.lingered_ns <= kGraceNs) return "";
        return str_cat("ended ", trial.lingered_ns / 1'000'000,
                       " ms after its cancellation, the grace period is ", kGraceNs / 1'000'000,
                       " ms - end when an op ends with E_CANCELLED");
      });
}

Result check_error_everywhere(Subject& subject) {
  const Result refused = sweep(
      subject, "refused op", [](const Trial& clean) { return clean.ops; }, 1,
      [](uint32_t place, uint32_t) {
        LabPlan plan;
        plan.refuse_op = place;
        return plan;
      },
      [](const Trial&) { return std::string(); });
  if (refused.outcome != Outcome::kPass) return refused;
  const Result failed = sweep(
      subject, "failed event", [](const Trial& clean) { return clean.events; }, 5,
      [](uint32_t place, uint32_t variant) {
        constexpr fermata_status kFailures[] = {FERMATA_E_CANCELLED, FERMATA_E_INVALID,
                                                FERMATA_E_UNAVAILABLE, FERMATA_E_INTERNAL, -999};
        LabPlan plan;
        plan.fail_event = place;
        plan.failure = kFailures[variant];
        return plan;
      },
      [](const Trial&) { return std::string(); });
  if (failed.outcome != Outcome::kPass) return failed;
  return pass(str_cat("refused ops: ", refused.why, "; failed events: ", failed.why));
}

Result check_oom_everywhere(Subject& subject) {
  return sweep(
      subject, "refused buf_alloc", [](const Trial& clean) { return clean.buffers; }, 1,
      [](uint32_t place, uint32_t) {
        LabPlan plan;
        plan.refuse_buffer = place;
        return plan;
      },
      [](const Trial& trial) -> std::string {
        if (trial.status != FERMATA_OK || trial.has_output) return "";
        return "ended OK without its output - check what buf_alloc() returns";
      });
}

Result check_unknown_event(Subject& subject) {
  LabPlan plan;
  plan.strange_events = true;
  Result strange = for_each_case(subject, plan, [](const TrialCase&, const Trial& trial) {
    return trial.fault().value_or("");
  });
  if (strange.outcome != Outcome::kPass) return strange;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    LabPlan shuffled;
    shuffled.seed = subject.options().seed * 1000 + seed;
    Result result = for_each_case(subject, shuffled, [](const TrialCase&, const Trial& trial) {
      return trial.fault().value_or("");
    });
    if (result.outcome != Outcome::kPass) {
      result.why += str_cat(" (events in the order of seed ", subject.options().seed, ")");
      return result;
    }
  }
  return pass("unknown kinds were ignored; 20 orders of events gave no trouble");
}

Result check_buffer_ownership(Subject& subject) {
  return for_each_case(subject, LabPlan(), [](const TrialCase&, const Trial& trial) {
    if (const auto fault = trial.fault({Rule::kBuffer})) return *fault;
    return trial.live_buffers > 0 ? trial.fault().value_or("") : std::string();
  });
}

Result check_blocking_thread(Subject& subject) {
  return for_each_case(subject, LabPlan(), [](const TrialCase&, const Trial& trial) {
    return trial.fault({Rule::kThread}).value_or("");
  });
}

Result check_loop_hold(Subject& subject) {
  constexpr int64_t kLimitNs = 1'000'000;
  const absl::StatusOr<std::vector<TrialCase>> cases = trial_cases(subject);
  if (!cases.ok()) return fail(std::string(cases.status().message()));
  int64_t longest = 0;
  for (const TrialCase& which : *cases) {
    int64_t hold = INT64_MAX;
    // The first run pays for cold code; the best of three is the plugin's own doing.
    for (int run = 0; run < 3; ++run) {
      hold = std::min(hold, run_trial(subject, which, LabPlan()).longest_hold_ns);
    }
    longest = std::max(longest, hold);
    if (hold > kLimitNs) {
      return warn(str_cat(which.name(), ": held the loop for ", hold / 1000,
                          " us of processor time at a time, expected at most ", kLimitNs / 1000,
                          " us - move the work to offload()"));
    }
  }
  return pass(str_cat("at most ", longest / 1000, " us of processor time at a time"));
}

Result check_deadline(Subject& subject) {
  constexpr uint64_t kTimeoutNs = 1'000'000;
  constexpr uint64_t kGraceNs = 5'000'000'000;
  const absl::StatusOr<std::vector<TrialCase>> cases = trial_cases(subject);
  if (!cases.ok()) return fail(std::string(cases.status().message()));
  for (const TrialCase& which : *cases) {
    const Trial trial = run_trial(subject, which, LabPlan(), kTimeoutNs);
    if (!trial.created) return skip(str_cat(which.name(), ": ", trial.outcome()));
    if (const auto fault = trial.fault({Rule::kProgress, Rule::kHang})) {
      return warn(str_cat(which.name(), ": ", *fault));
    }
    if (trial.lingered_ns > kGraceNs) {
      return warn(str_cat(which.name(), ": ended ", trial.lingered_ns / 1'000'000,
                          " ms after its deadline, the grace period is ", kGraceNs / 1'000'000,
                          " ms - end when an op ends with E_CANCELLED"));
    }
  }
  return pass(
      str_cat(cases->size(), " calls with a deadline of 1 ms ended within the grace period"));
}

}  // namespace fermata::kit
