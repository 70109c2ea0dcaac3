// SignalSet: signals of the process, awaited like anything else. asyncio's loop.add_signal_handler.
//
//   absl::StatusOr<SignalSet> signals = SignalSet::make({SIGTERM, SIGHUP});
//   for (;;) {
//     int signal = co_await signals->next();
//     …
//   }
//
// While it lives its signals do nothing else; afterwards everything is as it was before. The
// handler writes one byte into a pipe, so it does not matter which thread the kernel picks, and
// signals that come while nobody awaits are kept (those of the same number up to the pipe's 64
// KiB). A signal belongs to one SignalSet at a time. make() and the destructor: any thread, but not
// in a handler.
#ifndef SERVICES_ASYNC_PROCESS_SIGNALS_H_
#define SERVICES_ASYNC_PROCESS_SIGNALS_H_

#include <signal.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "services/async/co.h"
#include "services/async/descriptor.h"

namespace fermata {

class SignalSet {
 public:
  enum class Repeat : std::uint8_t {
    kAlways,
    kOnce,  // the second one of a number does what it would have done, even if the loop is stuck
  };
  // AlreadyExists: another SignalSet has one of them. InvalidArgument: cannot be caught.
  static absl::StatusOr<SignalSet> make(std::vector<int> signals, Repeat repeat = Repeat::kAlways);
  SignalSet(SignalSet&&) noexcept = default;
  SignalSet& operator=(SignalSet&&) = delete;
  ~SignalSet();

  // Wakes with the next signal, in the order they came. One at a time. On cancel: none is taken. On
  // shutdown: as cancelled.
  Co<int> next();

 private:
  struct Taken {
    int signal;
    struct sigaction before;
  };
  SignalSet() = default;

  std::vector<Taken> taken_;  // empty when it was moved from
  Descriptor read_;
  Descriptor write_;
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_PROCESS_SIGNALS_H_
