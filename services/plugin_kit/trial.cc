#include "services/plugin_kit/trial.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "services/config/str_cat.h"
#include "services/stages/loaded_plugin.h"

namespace fermata::kit {

std::string short_text(std::string_view text) {
  constexpr size_t kMax = 80;
  std::string out = absl::Utf8SafeCHexEscape(for_absl(text.substr(0, kMax)));
  return text.size() > kMax ? out + "..." : out;
}

std::string Trial::outcome() const {
  if (!created) return str_cat("create() failed: ", create_failure);
  std::string text(abi_status_name(status));
  if (status == FERMATA_OK) {
    str_append(&text, " ", has_output ? short_text(output) : std::string("null"));
  } else if (!failure.empty()) {
    str_append(&text, ": ", short_text(failure));
  }
  return text;
}

std::optional<std::string> Trial::fault(std::initializer_list<Rule> rules) const {
  for (const Violation& violation : violations) {
    if (rules.size() == 0 || std::find(rules.begin(), rules.end(), violation.rule) != rules.end()) {
      return violation.what;
    }
  }
  if (rules.size() != 0) return std::nullopt;
  if (live_buffers > 0) {
    return str_cat(live_buffers,
                   " buffers were never released; every buf_alloc and buf_retain "
                   "needs its buf_release");
  }
  if (live_wakers > 0) {
    return str_cat(live_wakers, " wakers were never fired or dropped");
  }
  return std::nullopt;
}

std::string TrialCase::name() const {
  return str_cat(view_of(stage->name), ", sample ", sample.name);
}

absl::StatusOr<std::vector<TrialCase>> trial_cases(Subject& subject) {
  const absl::StatusOr<const fermata_plugin*> plugin = subject.plugin();
  if (!plugin.ok()) return plugin.status();
  std::vector<TrialCase> cases;
  for (uint32_t i = 0; i < (*plugin)->n_stages; ++i) {
    const fermata_stage* stage = (*plugin)->stages[i];
    const absl::StatusOr<std::string> config = subject.config(*stage);
    if (!config.ok()) return config.status();
    for (Sample& sample : subject.samples(*stage)) {
      cases.push_back({stage, *config, std::move(sample)});
    }
  }
  return cases;
}

Trial run_trial(Subject& subject, const TrialCase& which, const LabPlan& plan,
                uint64_t timeout_ns) {
  Trial trial;
  LabHost host(plan);
  if (subject.on_entry) {
    host.on_entry = [&](std::string_view where) {
      subject.on_entry(str_cat(where, " of ", which.name()));
    };
  }
  LabInstance* instance = host.create(*which.stage, which.config, &trial.create_failure);
  trial.created = instance != nullptr;
  if (instance != nullptr) {
    LabCall& call = host.start(*instance, which.sample.input, timeout_ns);
    host.run(call);
    if (call.cancelled != 0) trial.lingered_ns = call.ended_ns - call.cancelled_ns;
    host.destroy(*instance);
    trial.status = call.status;
    trial.has_output = call.has_output;
    trial.output = call.output;
    trial.failure = call.failure;
    trial.chunks = call.chunks.size();
    trial.entries = call.entries;
    trial.metrics = instance->metrics;
  }
  trial.ops = host.ops();
  trial.events = host.events();
  trial.buffers = host.buffer_count();
  trial.fault_happened = host.fault_happened();
  trial.live_buffers = host.live_buffers();
  trial.live_wakers = host.live_wakers();
  trial.longest_hold_ns = host.longest_hold_ns();
  trial.violations = host.violations();
  return trial;
}

std::vector<uint32_t> places(uint32_t count) {
  constexpr uint32_t kAll = 60;
  constexpr uint32_t kMore = 20;
  std::vector<uint32_t> chosen;
  for (uint32_t n = 1; n <= std::min(count, kAll); ++n) chosen.push_back(n);
  for (uint32_t i = 1; count > kAll && i <= kMore; ++i) {
    chosen.push_back(kAll + static_cast<uint32_t>(uint64_t{count - kAll} * i / kMore));
  }
  return chosen;
}

}  // namespace fermata::kit
