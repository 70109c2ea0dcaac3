// Random programs over the combinators, as plain data: a tree of nodes with durations.
//
// Every duration is drawn from a range so wide that no two things happen at the same moment, so the
// outcome does not depend on the order in which the loop runs what is ready.
#ifndef TESTS_CONFORMANCE_PROGRAM_H_
#define TESTS_CONFORMANCE_PROGRAM_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/status.h"

namespace fermata {

enum class Kind : std::uint8_t {
  kValue,    // sleeps, gives `value`
  kFail,     // sleeps, gives `code`
  kSeq,      // one after the other, with Try; the sum
  kGather,   // two or three
  kSettled,  // two
  kRace,     // two or three
  kTimeout,  // one, limited to `delay_ns`
  kScope,    // one, under a CancelScope with that deadline; 5000 if it was cancelled
  kShield,   // one
  kGroup,    // each as a task; the body sleeps, and then does `action`
  kForEach,  // each as an item, `value` at a time
};

enum class Action : std::uint8_t { kReturn, kCancelChild, kCancelGroup, kFail };

struct Node {
  Kind kind = Kind::kValue;
  Action action = Action::kReturn;
  std::int64_t delay_ns = 0;
  int value = 0;
  absl::StatusCode code = absl::StatusCode::kOk;
  std::vector<int> kids;  // indexes; a node comes after its kids
};

struct Program {
  std::vector<Node> nodes;  // the last is the root
  std::int64_t cancel_ns = 0;
  int root() const { return static_cast<int>(nodes.size()) - 1; }
};

// Something that happened: when, to which node, what, and a number.
using LogEntry = std::tuple<std::int64_t, int, char, int>;

// What came of a program, or of a node.
struct End {
  enum class Kind : std::uint8_t { kValue, kError, kCut };
  Kind kind = Kind::kValue;
  std::int64_t at_ns = 0;
  int value = 0;
  absl::StatusCode code = absl::StatusCode::kOk;
  bool operator==(const End&) const = default;
};

struct Result {
  End end;
  std::vector<LogEntry> log;  // sorted
};

Program random_program(std::uint64_t seed);

// What must come of it, computed from the durations alone: no coroutine, no loop. False: two things
// happen at one moment and which is first is not defined; such a program is not used.
bool predict(const Program& program, Result& result);

// What does come of it, on a simulated loop.
Result execute(const Program& program, std::uint64_t loop_seed);

std::string to_text(const Program& program);
std::string to_text(const Result& result);

}  // namespace fermata

#endif  // TESTS_CONFORMANCE_PROGRAM_H_
