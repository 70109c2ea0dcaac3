// SimLoop: the simulated loop, for tests. Virtual time, seeded order, nothing ever really waits.
//
//   for (std::uint64_t seed = 0; seed < 200; ++seed) {
//     SimLoop loop(seed);
//     ASSERT_TRUE(loop.run(scenario).ok()) << "seed " << seed;
//   }
//
// When nothing is ready, time jumps to the next deadline: an hour of sleep() costs nothing, and
// time stands still while code runs. Seed 0 keeps first-come-first-served order, one step a turn;
// every other seed runs what is ready in an order drawn from the seed, in turns of drawn length, so
// cancellations and timers fall between any two steps. Offloaded calls run on this thread, begun
// and answered after drawn delays. Descriptors are polled for real. SimOptions make it more unkind:
// late timers, time that goes by while code runs, buggify().
//
// When nothing can ever happen again, run() ends with an error that names the tasks that wait and
// where: a deadlock is a test result, not a hang.
#ifndef SERVICES_ASYNC_SIM_LOOP_H_
#define SERVICES_ASYNC_SIM_LOOP_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "services/async/buggify.h"
#include "services/async/main_loop.h"
#include "services/async/sim_options.h"
#include "services/async/timer_heap.h"

namespace fermata {

class SimLoop final : public MainLoop {
 public:
  explicit SimLoop(std::uint64_t seed = 0, SimOptions options = {});
  ~SimLoop() override;

  std::uint64_t seed() const noexcept { return seed_; }
  // Drawn from the seed; for the test's own choices.
  std::uint64_t random(std::uint64_t below) noexcept;

  // Calls `call` before the given turn of a run: what a test does to a scenario at every point in
  // turn, such as cancelling it.
  void at_turn(std::uint64_t turn, absl::AnyInvocable<void()> call) {
    hook_turn_ = turn;
    hook_ = std::move(call);
  }
  // False: the run was over before.
  bool hook_called() const noexcept { return hook_ == nullptr; }

  const char* kind() const noexcept override { return "simulated"; }
  int watch(IoWatch& watch) noexcept override;
  void unwatch(IoWatch& watch) noexcept override;
  void forget(int fd) noexcept override;
  void offload(OffloadJob& job) noexcept override;
  bool withdraw(OffloadJob& job) noexcept override;

 private:
  struct Call;

  void turn() noexcept override;
  absl::Status finish(absl::Status status) override;
  void wait() noexcept;
  void let_time_pass() noexcept;
  std::int64_t lateness_ns() noexcept;
  bool poll_descriptors(int wait_ms) noexcept;
  void shuffle() noexcept;
  void give_up() noexcept;
  std::int64_t read_clock_ns() noexcept override { return virtual_ns_; }
  void wake_from_sleep() noexcept override {}

  const std::uint64_t seed_;
  const SimOptions options_;
  std::uint64_t random_state_;
  detail::Buggifier buggifier_;
  std::int64_t virtual_ns_ = 0;
  std::vector<IoWatch*> watches_;
  std::list<Call> calls_;
  absl::Status deadlock_;
  std::uint64_t hook_turn_ = 0;
  absl::AnyInvocable<void()> hook_;
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_SIM_LOOP_H_
