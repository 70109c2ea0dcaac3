// MainLoop: a loop with run(). asyncio.run, as a method.
//
// run() makes a root group, runs main in it on the calling thread, and returns main's status. When
// main has ended, whatever is left in the root group is cancelled (kShutdown) and waited for, so
// nothing outlives run(); what has not ended within the grace is reported, by name and where it
// waits. An error of such a leftover is reported when main itself had none.
#ifndef SERVICES_ASYNC_MAIN_LOOP_H_
#define SERVICES_ASYNC_MAIN_LOOP_H_

#include <optional>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "services/async/co.h"
#include "services/async/loop.h"
#include "services/async/task_group.h"

namespace fermata {

class MainLoop : public Loop {
 public:
  absl::Status run(Co<absl::Status>&& main) { return run_body(std::move(main).release()); }
  // The same, with main(args...) called on the loop: args are taken as in with_group.
  template <class F, class... A>
    requires std::is_invocable_v<F, A&&...>
  absl::Status run(F main, A&&... args) {
    const Entered entered(*this);
    return run(main(std::forward<A>(args)...));
  }

  // How long what is left may take after main has ended, before it is reported.
  void set_grace(absl::Duration grace) noexcept { grace_ = grace; }

  // For work that belongs to the whole run, such as what a posted callback starts. Inside run().
  TaskGroup& root() noexcept {
    FERMATA_CHECK(root_.has_value(), "root() is only there inside run()");
    return *root_;
  }

 protected:
  // One turn; may wait in the kernel.
  virtual void turn() noexcept = 0;
  // The status run() returns, given that of main.
  virtual absl::Status finish(absl::Status status) { return status; }

 private:
  absl::Status run_body(detail::Body<absl::Status> main);

  std::optional<OpenGroup> root_;
  absl::Duration grace_ = absl::Seconds(10);
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_MAIN_LOOP_H_
