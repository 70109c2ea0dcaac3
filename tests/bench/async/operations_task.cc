// Tasks: making them, waiting for them, taking turns.
#include <tuple>

#include "absl/status/statusor.h"
#include "tests/bench/async/operations.h"

namespace fermata::bench {
namespace {

[[gnu::noinline]] Co<int> quick(int value) { co_return value; }

Co<absl::Status> yield(long times) {
  for (long i = 0; i < times; ++i) co_await yield_now();
  co_return absl::OkStatus();
}

// 200 tasks take turns.
Co<absl::Status> spawn_yielders(TaskGroup& group, long times) {
  for (int i = 0; i < 200; ++i) group.spawn(&yield, times / 200);
  co_return absl::OkStatus();
}
Co<absl::Status> yield_many(long times) { co_return co_await with_group(&spawn_yielders, times); }

Co<absl::Status> spawn_and_await(TaskGroup& group, long times) {
  for (long i = 0; i < times; ++i) {
    Task<int> task = group.spawn(&quick, 1);
    Outcome<int> outcome = co_await task;
    keep(outcome);
  }
  co_return absl::OkStatus();
}
Co<absl::Status> spawn(long times) { co_return co_await with_group(&spawn_and_await, times); }

Co<absl::Status> spawn_thousand(TaskGroup& group) {
  for (int i = 0; i < 1000; ++i) group.spawn(&quick, i);
  co_return absl::OkStatus();
}
Co<absl::Status> spawn_many_local(long times) {
  for (long i = 0; i < times; i += 1000) co_await Try(with_group(&spawn_thousand));
  co_return absl::OkStatus();
}

// Each task spawns the next.
Co<void> chain_link(TaskGroup* group, long left) {
  if (left > 0) group->spawn(&chain_link, group, left - 1);
  co_return;
}
Co<absl::Status> first_link(TaskGroup& group, long times) {
  group.spawn(&chain_link, &group, times);
  co_return absl::OkStatus();
}
Co<absl::Status> chained_spawn(long times) { co_return co_await with_group(&first_link, times); }

Co<absl::Status> gather_two(long times) {
  for (long i = 0; i < times; ++i) {
    absl::StatusOr<std::tuple<int, int>> both = co_await gather(quick(1), quick(2));
    keep(both);
  }
  co_return absl::OkStatus();
}

Co<absl::Status> empty_group_body(TaskGroup&) { co_return absl::OkStatus(); }
Co<absl::Status> empty_group(long times) {
  for (long i = 0; i < times; ++i) co_await Try(with_group(&empty_group_body));
  co_return absl::OkStatus();
}

}  // namespace

Operations task_operations() {
  return {
      {"yield", &yield},                        // folly's AsyncReschedule, FoundationDB's YIELD
      {"yield_many", &yield_many},              // tokio
      {"spawn", &spawn},                        // tokio's basic_scheduler_spawn
      {"spawn_many_local", &spawn_many_local},  // tokio
      {"chained_spawn", &chained_spawn},        // tokio
      {"gather_two", &gather_two},              //
      {"empty_group", &empty_group},            //
  };
}

}  // namespace fermata::bench
