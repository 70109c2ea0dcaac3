// run_until_signal: run(main), ended by Ctrl-C in good order. What asyncio.run does with SIGINT.
//
//   int main() {
//     absl::Status status = run_until_signal(serve, Address::loopback(8080));
//     return status.ok() || absl::IsCancelled(status) ? 0 : 1;
//   }
//
// The first SIGINT or SIGTERM cancels main (kRequested); its clean-up runs, and the status is
// Cancelled. The second one of a kind ends the process as if nobody had ever caught it, even while
// the loop is stuck.
#ifndef SERVICES_ASYNC_PROCESS_RUN_UNTIL_SIGNAL_H_
#define SERVICES_ASYNC_PROCESS_RUN_UNTIL_SIGNAL_H_

#include <signal.h>

#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "services/async/cancel_scope.h"
#include "services/async/epoll_loop.h"
#include "services/async/process/signals.h"
#include "services/async/task_group.h"

namespace fermata {
namespace detail {

inline Co<void> cancel_on_signal(SignalSet& signals, CancelScope& scope) {
  co_await signals.next();
  scope.cancel(CancelReason::kRequested);
}

template <class F, class... A>
Co<absl::Status> watch_and_run(TaskGroup& group, SignalSet& signals, CancelScope& scope, F& main,
                               A&... args) {
  group.spawn_named("signals", cancel_on_signal, std::ref(signals), std::ref(scope));
  Outcome<void> outcome = co_await scope.run(main(std::forward<A>(args)...));
  group.cancel();
  co_return outcome.status();
}

}  // namespace detail

// main(args...) on this loop, as with_group calls its body. Wakes when main has ended. On cancel:
// forwarded to main, then outward. On shutdown: likewise.
template <class F, class... A>
Co<absl::Status> until_signal(F main, A&&... args) {
  absl::StatusOr<SignalSet> signals =
      SignalSet::make(std::vector<int>({SIGINT, SIGTERM}), SignalSet::Repeat::kOnce);
  if (!signals.ok()) co_return signals.status();
  CancelScope scope;
  co_return co_await with_group(&detail::watch_and_run<F, A...>, *signals, scope, main, args...);
}

// The same on a loop of its own.
template <class F, class... A>
absl::Status run_until_signal(F main, A&&... args) {
  EpollLoop loop;
  return loop.run(&until_signal<F, A...>, std::move(main), std::forward<A>(args)...);
}

}  // namespace fermata

#endif  // SERVICES_ASYNC_PROCESS_RUN_UNTIL_SIGNAL_H_
