// A pipeline drawn from a seed, and the plain model of what running it may give.
//
// Everything about it is decided in advance: which calls fail, how often, how long they take. So
// the model is a few loops over the graph without any time in it: a stage succeeds or fails, and
// where the outcome depends on who was faster, the model says what is possible.
#pragma once

#include <random>
#include <set>
#include <string>
#include <vector>

#include "services/config/json.h"
#include "services/pipeline/pipeline.h"

namespace fermata {

struct RandomCall {
  int ms = 0;
  int code = 0;   // 0: never fails; 3: for good; 14: may be tried again
  int times = 0;  // so many attempts fail
};

struct RandomStage {
  std::string name;
  std::vector<int> after;
  bool skipped = false;
  bool each = false;
  GatherMode gather = GatherMode::kAll;
  int quorum = 0;
  int parallel = 1;
  int attempts = 1;
  std::vector<RandomCall> calls;  // one without `each`
};

class RandomPipeline {
 public:
  RandomPipeline(std::mt19937_64& random, std::string name);

  std::string yaml() const;
  // `job` keeps the calls of different jobs apart.
  std::string input(int job) const;
  static std::string group(int job, const RandomStage& stage);

  const std::vector<RandomStage>& stages() const { return stages_; }
  const std::string& name() const { return name_; }

  // Stages that fail if they run, and may run: everything before them succeeds.
  std::set<std::string> possible_failures() const;
  // What is wrong with the result of a job that succeeded; empty: nothing.
  std::string problem(const JsonValue& result) const;

 private:
  bool call_succeeds(const RandomStage& stage, const RandomCall& call) const;
  bool stage_succeeds(const RandomStage& stage) const;
  std::vector<int> sinks() const;
  std::string problem_of(int stage, const JsonValue& output) const;
  std::string problem_of_value(int stage, int call, const JsonValue& value) const;
  std::string problem_of_items(int stage, const JsonValue& output) const;

  const std::string name_;
  std::vector<RandomStage> stages_;
};

}  // namespace fermata
