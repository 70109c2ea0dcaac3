// Queues: hand-over between tasks, buffering, and the case in which nobody has to wait.
#include <optional>

#include "tests/bench/async/operations.h"

namespace fermata::bench {
namespace {

Co<absl::Status> send_back(Queue<long>* in, Queue<long>* out) {
  for (;;) {
    std::optional<long> item = co_await in->get();
    if (!item.has_value()) co_return absl::OkStatus();
    co_await Try(out->put(*item));
  }
}

Co<absl::Status> play(TaskGroup& group, long rounds, Queue<long>* there, Queue<long>* back) {
  group.spawn(&send_back, there, back);
  for (long i = 0; i < rounds; ++i) {
    absl::Status put = co_await there->put(i);
    std::optional<long> item = co_await back->get();
    keep(item);
  }
  there->shutdown();
  co_return absl::OkStatus();
}

// Two messages a round: there and back.
Co<absl::Status> ping_pong(long times) {
  Queue<long> there(1);
  Queue<long> back(1);
  co_return co_await with_group(&play, times / 2, &there, &back);
}

Co<absl::Status> put_many(Queue<long>* queue, long times) {
  for (long i = 0; i < times; ++i) absl::Status put = co_await queue->put(i);
  co_return absl::OkStatus();
}

Co<absl::Status> take_many(TaskGroup& group, Queue<long>* queue, long times) {
  group.spawn(&put_many, queue, times);
  for (long i = 0; i < times; ++i) {
    std::optional<long> item = co_await queue->get();
    keep(item);
  }
  co_return absl::OkStatus();
}

Co<absl::Status> queue_1024(long times) {
  Queue<long> queue(1024);
  co_return co_await with_group(&take_many, &queue, times);
}

Co<absl::Status> immediate(long times) {
  Queue<long> queue(16);
  for (long i = 0; i < times; ++i) {
    absl::Status put = co_await queue.put(i);
    std::optional<long> item = co_await queue.get();
    keep(item);
  }
  co_return absl::OkStatus();
}

Co<absl::Status> nowait(long times) {
  Queue<long> queue(16);
  for (long i = 0; i < times; ++i) {
    absl::Status put = queue.put_nowait(long{i});
    std::optional<long> item = queue.get_nowait();
    keep(item);
  }
  co_return absl::OkStatus();
}

}  // namespace

Operations queue_operations() {
  return {
      {"ping_pong", &ping_pong},    // tokio, Cobalt's channel; per message
      {"queue_1024", &queue_1024},  // tokio's sync_mpsc; put and get
      {"immediate", &immediate},    // Cobalt; put and get
      {"queue_nowait", &nowait},    // put and get
  };
}

}  // namespace fermata::bench
