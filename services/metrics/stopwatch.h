// Stopwatch: how long something takes on a thread that has no loop to ask, for a metric and nothing
// else: what is decided by time asks the Loop or a Clock, so that it can be simulated. Any thread.
#pragma once

#include <chrono>
#include <cstdint>

namespace fermata {

class Stopwatch {
 public:
  int64_t elapsed_ns() const {
    return std::chrono::nanoseconds(std::chrono::steady_clock::now() - begin_).count();
  }

 private:
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace fermata
