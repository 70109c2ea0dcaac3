#pragma once

// Counts SIGINT, SIGTERM and SIGHUP while it lives, instead of dying of them.
//
// One at a time in a process. The count may be read from any thread.

namespace fermata::cli {

class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  int count() const;
};

}  // namespace fermata::cli
