// R3a ping-pong over two queues; R3b one queue, 1024 items deep; R9 a lock.
#include <optional>

#include "tests/bench/async/runtime.h"

namespace fermata::bench {
namespace {

Co<absl::Status> echo_items(Queue<long>* in, Queue<long>* out, long n) {
  for (long i = 0; i < n; ++i) {
    std::optional<long> item = co_await in->get();
    absl::Status put = co_await out->put(*item);
    if (!put.ok()) co_return put;
  }
  co_return absl::OkStatus();
}

Co<absl::Status> ping(TaskGroup& group, long rounds) {
  Queue<long> there(1), back(1);
  Task<void> echo = group.spawn(&echo_items, &there, &back, rounds);
  for (long i = 0; i < rounds; ++i) {
    absl::Status put = co_await there.put(i);
    if (!put.ok()) co_return put;
    co_await back.get();
  }
  co_await echo;
  co_return absl::OkStatus();
}

Co<absl::Status> produce(Queue<long>* queue, long n) {
  for (long i = 0; i < n; ++i) {
    absl::Status put = co_await queue->put(i);
    if (!put.ok()) co_return put;
  }
  co_return absl::OkStatus();
}

Co<absl::Status> consume(TaskGroup& group, long n) {
  Queue<long> queue(1024);
  Task<void> producer = group.spawn(&produce, &queue, n);
  for (long i = 0; i < n; ++i) co_await queue.get();
  co_await producer;
  co_return absl::OkStatus();
}

Co<void> lock_and_unlock(Lock* lock, long n) {
  for (long i = 0; i < n; ++i) Lock::Guard guard = co_await lock->acquire();
}

// Holds the lock across a turn, so that the rival has to wait for it.
Co<void> lock_across_a_turn(Lock* lock, long n) {
  for (long i = 0; i < n; ++i) {
    Lock::Guard guard = co_await lock->acquire();
    co_await yield_now();
  }
}

Co<absl::Status> rivals(TaskGroup& group, Lock* lock, long n) {
  group.spawn(&lock_across_a_turn, lock, n / 2);
  group.spawn(&lock_across_a_turn, lock, n / 2);
  co_return absl::OkStatus();
}

}  // namespace

Co<absl::Status> r3a() {
  const long n = 1000000;
  const Clock::time_point start = Clock::now();
  absl::Status status = co_await with_group(&ping, n / 2);
  print("R3a", n, since(start));
  co_return status;
}

Co<absl::Status> r3b() {
  const long n = 5000000;
  const Clock::time_point start = Clock::now();
  absl::Status status = co_await with_group(&consume, n);
  print("R3b", n, since(start));
  co_return status;
}

Co<absl::Status> r9() {
  const long n = 5000000;
  Lock lock;
  Clock::time_point start = Clock::now();
  co_await lock_and_unlock(&lock, n);
  const double alone = since(start);
  const long contended = 1000000;
  start = Clock::now();
  absl::Status status = co_await with_group(&rivals, &lock, contended);
  print("R9", n, alone, field("contended_ns", since(start) / contended * 1e9));
  co_return status;
}

}  // namespace fermata::bench
