// Program: one compiled jq program, and how it is stopped.
//
// libjq has neither limits nor an interrupt. What it has is a flag that its interpreter looks at
// before every instruction; halt() sets it from the loop while a worker runs the program:
//
//   loop     stop_ = true, then jq_halt()
//   worker   jq_start(), which clears the flag; then reads stop_: one of the two is always seen
//
// One instruction may be long all the same (a regular expression, the multiplication of a text),
// and memory has no limit: README.md says what follows. compile() and run(): any one thread at a
// time; halt(): the loop, also while run() is on a worker.
#ifndef FERMATA_PLUGINS_JQ_PROGRAM_H_
#define FERMATA_PLUGINS_JQ_PROGRAM_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

struct jq_state;

namespace fermata::jq {

struct Limits {
  std::uint64_t bytes_max = 4 << 20;  // of all results together
  std::int64_t results_max = 10'000;
};

class Program {
 public:
  // InvalidArgument with what jq says. The environment, files, modules, further inputs and the
  // standard streams are out of the program's reach.
  static absl::StatusOr<std::unique_ptr<Program>> compile(const std::string& text);
  ~Program();
  Program(const Program&) = delete;

  // {"results": […], "count": n} of the program for one input, both JSON texts; `variables` is what
  // $vars holds. InvalidArgument: the program ended with an error. OutOfRange: a limit was met.
  // Aborted: it was halted.
  absl::StatusOr<std::string> run(const std::string& input, const std::string& variables,
                                  const Limits& limits);
  // Ends a run soon. The program is good for nothing afterwards. Once.
  void halt();
  // Nothing has stopped it, and its last run came to an end: it may run again.
  bool reusable() const { return !stop_.load() && ended_; }

 private:
  Program() = default;
  absl::StatusOr<std::string> collect(const Limits& limits);
  absl::Status halted() const;

  jq_state* jq_ = nullptr;
  std::string complaint_;  // of the compiler
  std::atomic<bool> stop_ = false;
  bool ended_ = true;
};

}  // namespace fermata::jq

#endif  // FERMATA_PLUGINS_JQ_PROGRAM_H_
