#include "tests/engine/random_pipeline.h"

#include <utility>

#include "services/config/str_cat.h"

namespace fermata {
namespace {

constexpr int kUnavailable = 14;

RandomCall draw_call(std::mt19937_64& random) {
  RandomCall call;
  call.ms = static_cast<int>(random() % 40);
  const uint64_t kind = random() % 12;
  if (kind == 0) call.code = 3;
  if (kind == 1 || kind == 2) call.code = kUnavailable;
  if (call.code != 0) call.times = static_cast<int>(random() % 3) + 1;
  return call;
}

RandomStage draw_stage(std::mt19937_64& random, int index) {
  RandomStage stage;
  stage.name = str_cat("s", index);
  for (int before = 0; before < index; ++before) {
    if (random() % 3 == 0) stage.after.push_back(before);
  }
  stage.skipped = random() % 10 == 0;
  stage.each = random() % 2 == 0;
  stage.attempts = static_cast<int>(random() % 3) + 1;
  stage.parallel = static_cast<int>(random() % 4) + 1;
  const uint64_t calls = stage.each ? random() % 9 : 1;
  for (uint64_t i = 0; i < calls; ++i) stage.calls.push_back(draw_call(random));
  if (!stage.each) return stage;
  stage.gather = static_cast<GatherMode>(random() % 4);
  stage.quorum = static_cast<int>(random() % 3) + 1;
  return stage;
}

}  // namespace

RandomPipeline::RandomPipeline(std::mt19937_64& random, std::string name) : name_(std::move(name)) {
  const int stages = static_cast<int>(random() % 7) + 1;
  for (int i = 0; i < stages; ++i) stages_.push_back(draw_stage(random, i));
}

std::string RandomPipeline::yaml() const {
  std::string text = str_cat("pipeline: ", name_, "\nstages:\n");
  for (const RandomStage& stage : stages_) {
    const std::string call = stage.each ? "item" : str_cat("input/", stage.name, "/0");
    str_append(&text, "  ", stage.name, ":\n    use: test/work\n");
    if (stage.each) str_append(&text, "    each: \"${/input/", stage.name, "}\"\n");
    str_append(&text, "    when: \"${/input/run/", stage.name, "}\"\n    with:\n");
    for (const char* key : {"ms", "fail", "times", "key", "group"}) {
      str_append(&text, "      ", key, ": \"${/", call, "/", key, "}\"\n");
    }
    str_append(&text, "      value: { s: ", stage.name, ", i: ", stage.each ? "\"${/index}\"" : "0",
               ", in: [");
    std::string names;
    for (const int before : stage.after) {
      str_append(&text, "\"${/stages/s", before, "}\", ");
      str_append(&names, "s", before, ", ");
    }
    str_append(&text, "] }\n    after: [", names, "]\n    retry: { attempts: ", stage.attempts,
               ", initial: 5ms, max: 20ms }\n");
    if (!stage.each) continue;
    str_append(&text, "    parallel: ", stage.parallel, "\n    gather: ",
               stage.gather == GatherMode::kQuorum ? str_cat("{ quorum: ", stage.quorum, " }")
                                                   : std::string(gather_mode_name(stage.gather)),
               "\n");
  }
  return text;
}

std::string RandomPipeline::group(int job, const RandomStage& stage) {
  return str_cat(job, "-", stage.name);
}

std::string RandomPipeline::input(int job) const {
  std::string text = "{\"run\":{";
  for (const RandomStage& stage : stages_) {
    str_append(&text, text.back() == '{' ? "" : ",", "\"", stage.name,
               stage.skipped ? "\":false" : "\":true");
  }
  text += "}";
  for (const RandomStage& stage : stages_) {
    str_append(&text, ",\"", stage.name, "\":[");
    for (size_t i = 0; i < stage.calls.size(); ++i) {
      const RandomCall& call = stage.calls[i];
      str_append(&text, i == 0 ? "" : ",", "{\"ms\":", call.ms, ",\"fail\":", call.code,
                 ",\"times\":", call.times, ",\"key\":\"", group(job, stage), "-", i,
                 "\",\"group\":\"", group(job, stage), "\"}");
    }
    text += "]";
  }
  return text + "}";
}

bool RandomPipeline::call_succeeds(const RandomStage& stage, const RandomCall& call) const {
  if (call.code == 0) return true;
  return call.code == kUnavailable && call.times < stage.attempts;
}

bool RandomPipeline::stage_succeeds(const RandomStage& stage) const {
  if (stage.skipped) return true;
  int good = 0;
  for (const RandomCall& call : stage.calls) good += call_succeeds(stage, call);
  if (stage.gather == GatherMode::kSettled) return true;
  if (stage.gather == GatherMode::kFirst) return good >= 1;
  if (stage.gather == GatherMode::kQuorum) return good >= stage.quorum;
  return good == static_cast<int>(stage.calls.size());
}

std::set<std::string> RandomPipeline::possible_failures() const {
  std::set<std::string> failures;
  std::vector<bool> reached;
  for (const RandomStage& stage : stages_) {
    bool runs = true;
    for (const int before : stage.after) {
      runs = runs && reached[static_cast<size_t>(before)] &&
             stage_succeeds(stages_[static_cast<size_t>(before)]);
    }
    reached.push_back(runs);
    if (runs && !stage_succeeds(stage)) failures.insert(stage.name);
  }
  return failures;
}

std::vector<int> RandomPipeline::sinks() const {
  std::set<int> waited_for;
  for (const RandomStage& stage : stages_) {
    waited_for.insert(stage.after.begin(), stage.after.end());
  }
  std::vector<int> sinks;
  for (int i = 0; i < static_cast<int>(stages_.size()); ++i) {
    if (waited_for.count(i) == 0) sinks.push_back(i);
  }
  return sinks;
}

std::string RandomPipeline::problem(const JsonValue& result) const {
  const std::vector<int> ends = sinks();
  if (ends.size() == 1) return problem_of(ends[0], result);
  for (const int sink : ends) {
    const JsonValue* const output = find_member(result, stages_[static_cast<size_t>(sink)].name);
    if (output == nullptr) return "a sink is missing: " + to_json(result);
    std::string problem = problem_of(sink, *output);
    if (!problem.empty()) return problem;
  }
  return result.MemberCount() == ends.size() ? "" : "there is more than the sinks";
}

std::string RandomPipeline::problem_of(int stage, const JsonValue& output) const {
  const RandomStage& step = stages_[static_cast<size_t>(stage)];
  if (step.skipped) return output.IsNull() ? "" : "a skipped stage gave " + to_json(output);
  if (!step.each) return problem_of_value(stage, 0, output);
  if (step.gather == GatherMode::kFirst) {
    const JsonValue* const index = find_member(output, "i");
    if (index == nullptr) return "no winner: " + to_json(output);
    return problem_of_value(stage, index->GetInt(), output);
  }
  return problem_of_items(stage, output);
}

std::string RandomPipeline::problem_of_items(int stage, const JsonValue& output) const {
  const RandomStage& step = stages_[static_cast<size_t>(stage)];
  if (!output.IsArray()) return "expected an array: " + to_json(output);
  const bool some = step.gather == GatherMode::kQuorum;
  const size_t expected = some ? static_cast<size_t>(step.quorum) : step.calls.size();
  if (output.Size() != expected) return "wrong number of items: " + to_json(output);
  int last = -1;
  for (rapidjson::SizeType i = 0; i < output.Size(); ++i) {
    const JsonValue* const index = find_member(output[i], "i");
    const int call = index != nullptr && some ? index->GetInt() : static_cast<int>(i);
    if (call <= last) return "not in item order: " + to_json(output);
    last = call;
    std::string problem = problem_of_value(stage, call, output[i]);
    if (!problem.empty()) return problem;
  }
  return "";
}

std::string RandomPipeline::problem_of_value(int stage, int call, const JsonValue& value) const {
  const RandomStage& step = stages_[static_cast<size_t>(stage)];
  const RandomCall& planned = step.calls.at(static_cast<size_t>(call));
  if (!call_succeeds(step, planned)) {
    const int attempts = planned.code == kUnavailable ? step.attempts : 1;
    const std::string error =
        str_cat("{\"error\":{\"code\":\"", planned.code == 3 ? "INVALID_ARGUMENT" : "UNAVAILABLE",
                "\",\"message\":\"told to fail\",\"attempts\":", attempts, "}}");
    return to_json(value) == error ? "" : "expected " + error + ", got " + to_json(value);
  }
  const JsonValue* const name = find_member(value, "s");
  const JsonValue* const index = find_member(value, "i");
  const JsonValue* const inputs = find_member(value, "in");
  if (name == nullptr || index == nullptr || inputs == nullptr) return "odd: " + to_json(value);
  if (as_string_view(*name) != step.name || index->GetInt() != call ||
      inputs->Size() != step.after.size()) {
    return "another stage's value: " + to_json(value);
  }
  for (size_t i = 0; i < step.after.size(); ++i) {
    std::string problem = problem_of(step.after[i], (*inputs)[static_cast<rapidjson::SizeType>(i)]);
    if (!problem.empty()) return problem;
  }
  return "";
}

}  // namespace fermata
