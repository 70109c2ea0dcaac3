// StderrTail: what a plugin's process prints, line by line, and the last lines of it for when it
// dies. Bounded in every way: lines, their length, what is read in one turn. Loop thread only.
#ifndef SERVICES_STAGES_ISOLATED_STDERR_TAIL_H_
#define SERVICES_STAGES_ISOLATED_STDERR_TAIL_H_

#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "services/async/descriptor.h"
#include "services/async/loop.h"

namespace fermata {

class StderrTail {
 public:
  static constexpr size_t kLines = 50;
  static constexpr size_t kLineBytes = 1000;  // of a longer one, the beginning

  // Takes the pipe's end over: non-blocking.
  StderrTail(Loop& loop, int pipe, std::function<void(std::string_view line)> heard);
  StderrTail(const StderrTail&) = delete;
  StderrTail& operator=(const StderrTail&) = delete;
  ~StderrTail();

  void open();
  // Everything that is there, because the writer has ended.
  void drain();
  std::vector<std::string> lines() const { return {lines_.begin(), lines_.end()}; }

 private:
  struct Watch : IoWatch {
    explicit Watch(StderrTail& tail) noexcept
        : IoWatch(-1, Interest::kRead, &StderrTail::readable), tail(tail) {}
    StderrTail& tail;
    bool waiting = false;
  };
  struct Again : Timer {
    explicit Again(StderrTail& tail) noexcept : Timer(&StderrTail::again), tail(tail) {}
    StderrTail& tail;
  };
  static void readable(IoWatch& watch) noexcept;
  static void again(Timer& timer) noexcept;
  bool read_once();  // false: nothing more for now
  void read_some();
  void take(std::string_view bytes);
  void end_line();

  Loop& loop_;
  Descriptor pipe_;
  std::function<void(std::string_view)> heard_;
  std::deque<std::string> lines_;
  std::string line_;
  Watch watch_{*this};
  Again again_{*this};
};

}  // namespace fermata

#endif  // SERVICES_STAGES_ISOLATED_STDERR_TAIL_H_
