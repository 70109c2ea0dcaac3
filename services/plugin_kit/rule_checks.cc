// D: several calls at once, streams, metrics, and chance.
#include <time.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "services/config/str_cat.h"
#include "services/plugin_kit/trial.h"
#include "services/stages/input_check.h"
#include "services/stages/loaded_plugin.h"

namespace fermata::kit {
namespace {

std::string answer_of(const LabCall& call) {
  return str_cat(call.status, " ", call.has_output ? call.output : std::string("null"));
}

// How a limit on calls at once answers, or a server that is asked a thousand times: that is no
// mix-up.
bool says_later(const LabCall& call) {
  return call.status == FERMATA_E_UNAVAILABLE || call.status == FERMATA_E_TRANSIENT;
}

int64_t now_ms() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t{time.tv_sec} * 1000 + time.tv_nsec / 1'000'000;
}

// Inputs that a hostile client could send, changed step by step from a good one.
std::string mutated(std::string text, std::mt19937_64& random) {
  static const char* const kPieces[] = {"null",
                                        "0",
                                        "-1e308",
                                        "\"\\u0000\"",
                                        "[]",
                                        "{}",
                                        "\"\"",
                                        "9223372036854775807",
                                        "\"\xf0\x9f\x98\x80\"",
                                        "true"};
  const int changes = static_cast<int>(random() % 4);
  for (int i = 0; i < changes; ++i) {
    const size_t at = text.empty() ? 0 : random() % text.size();
    switch (random() % 4) {
      case 0:
        text.insert(at, kPieces[random() % std::size(kPieces)]);
        break;
      case 1:
        text.erase(at, random() % 8);
        break;
      case 2:
        if (!text.empty()) text[at] = static_cast<char>(random());
        break;
      default:
        text.insert(at, std::string(random() % 5000, static_cast<char>('a' + random() % 26)));
    }
  }
  return text;
}

}  // namespace

Result check_backpressure(Subject& subject) {
  const absl::StatusOr<std::vector<TrialCase>> cases = trial_cases(subject);
  if (!cases.ok()) return fail(std::string(cases.status().message()));
  size_t chunks = 0, streams = 0;
  for (const TrialCase& which : *cases) {
    const bool says_so = (which.stage->flags & FERMATA_STAGE_STREAMS) != 0;
    for (uint32_t credit : {0u, 1u}) {
      LabPlan plan;
      plan.credit = credit;
      const Trial trial = run_trial(subject, which, plan);
      if (!trial.created) return skip(str_cat(which.name(), ": ", trial.outcome()));
      if (const auto fault = trial.fault({Rule::kOutput, Rule::kHang})) {
        return fail(str_cat(which.name(), " with credit ", credit, ": ", *fault));
      }
      if (trial.chunks > 0 && !says_so) {
        return fail(str_cat(which.name(), ": emitted ", trial.chunks,
                            " chunks without FERMATA_STAGE_STREAMS in its flags"));
      }
      chunks += trial.chunks;
    }
    streams += says_so ? 1 : 0;
  }
  if (streams == 0) return skip("no stage of it streams");
  return pass(str_cat(chunks, " chunks, none without credit"));
}

Result check_concurrency(Subject& subject) {
  constexpr int kCalls = 1000;
  int told_later = 0;
  const absl::StatusOr<const fermata_plugin*> plugin = subject.plugin();
  if (!plugin.ok()) return fail(std::string(plugin.status().message()));
  for (uint32_t i = 0; i < (*plugin)->n_stages; ++i) {
    const fermata_stage& stage = *(*plugin)->stages[i];
    const absl::StatusOr<std::string> config = subject.config(stage);
    if (!config.ok()) return fail(std::string(config.status().message()));
    const std::vector<Sample> samples = subject.samples(stage);
    LabPlan plan;
    plan.seed = subject.options().seed;
    LabHost host(plan);
    host.on_entry = subject.on_entry;
    std::string failure;
    LabInstance* instance = host.create(stage, *config, &failure);
    if (instance == nullptr) return skip(str_cat("create() failed: ", failure));
    // Alone, twice: only what answers the same both times can be compared.
    std::map<std::string, std::set<std::string>> alone;
    for (const Sample& sample : samples) {
      for (int run = 0; run < 2; ++run) {
        LabCall& call = host.start(*instance, sample.input);
        host.run(call);
        alone[sample.name].insert(answer_of(call));
      }
    }
    std::vector<std::pair<LabCall*, const Sample*>> calls;
    for (int n = 0; n < kCalls; ++n) {
      const Sample& sample = samples[static_cast<size_t>(n) % samples.size()];
      calls.emplace_back(&host.start(*instance, sample.input), &sample);
    }
    for (const auto& [call, sample] : calls) host.run(*call);
    host.destroy(*instance);
    if (!host.violations().empty()) {
      return fail(str_cat(view_of(stage.name), ", ", kCalls,
                          " calls at once: ", host.violations().front().what));
    }
    int later = 0;
    for (const auto& [call, sample] : calls) {
      const std::set<std::string>& expected = alone[sample->name];
      if (expected.size() != 1 || expected.count(answer_of(*call)) != 0) continue;
      if (says_later(*call) && ++later < kCalls) continue;
      return fail(str_cat(view_of(stage.name), ", sample ", sample->name, ": among ", kCalls,
                          " calls at once it answered ", short_text(answer_of(*call)), ", alone ",
                          short_text(*expected.begin()), " - keep a call's state in *state"));
    }
    told_later += later;
    if (host.live_buffers() > 0) {
      return fail(str_cat(view_of(stage.name), ": ", host.live_buffers(), " buffers left after ",
                          kCalls, " calls"));
    }
  }
  return pass(str_cat(kCalls, " calls at once, each answered as when alone",
                      told_later == 0 ? "" : str_cat(", or told to try again (", told_later, ")")));
}

Result check_metrics_hygiene(Subject& subject) {
  constexpr size_t kManySeries = 100;
  const absl::StatusOr<std::vector<TrialCase>> cases = trial_cases(subject);
  if (!cases.ok()) return fail(std::string(cases.status().message()));
  size_t metrics = 0;
  for (const TrialCase& which : *cases) {
    const Trial trial = run_trial(subject, which, LabPlan());
    if (const auto fault = trial.fault({Rule::kMetric})) {
      return fail(str_cat(which.name(), ": ", *fault));
    }
    for (const LabMetric& metric : trial.metrics) {
      if (metric.series.size() <= kManySeries) continue;
      return warn(str_cat(which.name(), ": metric ", metric.name, " has ", metric.series.size(),
                          " series after one call, expected at most ", kManySeries,
                          " - a label must not carry what users send"));
    }
    metrics = std::max(metrics, trial.metrics.size());
  }
  return pass(str_cat(metrics, " metrics, named as they should be"));
}

Result check_fuzz(Subject& subject) {
  const int64_t budget_ms = absl::ToInt64Milliseconds(subject.options().fuzz);
  if (budget_ms <= 0) return skip("no --fuzz DURATION was given");
  const absl::StatusOr<std::vector<TrialCase>> cases = trial_cases(subject);
  if (!cases.ok()) return fail(std::string(cases.status().message()));
  std::mt19937_64 random(subject.options().seed);
  const int64_t end = now_ms() + budget_ms;
  uint64_t runs = 0;
  while (now_ms() < end) {
    TrialCase which = (*cases)[random() % cases->size()];
    const auto schema = compile_schema(view_of(which.stage->input_schema));
    const absl::StatusOr<std::string> input =
        check_json(schema.ok() ? schema->get() : nullptr, mutated(which.sample.input, random));
    if (!input.ok()) continue;  // the server refuses it before the stage sees it
    which.sample.input = *input;
    LabPlan plan;
    plan.seed = random() | 1;
    plan.strange_events = random() % 8 == 0;
    plan.credit = static_cast<uint32_t>(random() % 3);
    if (random() % 2 == 0) plan.cancel_before_event = 1 + static_cast<uint32_t>(random() % 12);
    if (random() % 4 == 0) plan.refuse_op = 1 + static_cast<uint32_t>(random() % 12);
    if (random() % 4 == 0) plan.fail_event = 1 + static_cast<uint32_t>(random() % 12);
    if (random() % 4 == 0) plan.refuse_buffer = 1 + static_cast<uint32_t>(random() % 4);
    ++runs;
    const Trial trial = run_trial(subject, which, plan, random() % 2 == 0 ? 0 : random() % 100000);
    if (const auto fault = trial.fault()) {
      return warn(str_cat(which.name(), ", run ", runs, " of seed ", subject.options().seed, ": ",
                          *fault, "; input ", short_text(which.sample.input)));
    }
  }
  return pass(str_cat(runs, " runs with seed ", subject.options().seed, " found nothing"));
}

}  // namespace fermata::kit
