#include "services/cli/event_stream.h"

#include <chrono>

#include "absl/time/clock.h"

namespace fermata::cli {

EventStream::EventStream(v1::Jobs::Stub& jobs, const std::string& job, int64_t after_sequence) {
  v1::WatchJobRequest request;
  request.set_name(job);
  request.set_after_sequence(after_sequence);
  reader_ = jobs.AsyncWatch(&context_, request, &queue_, reinterpret_cast<void*>(kStarted));
}

EventStream::~EventStream() {
  // A completion queue may only go when nothing is under way on it.
  context_.TryCancel();
  while (!ended_) next(absl::InfiniteDuration());
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

EventStream::Next EventStream::next(absl::Duration wait) {
  if (ended_) return Next::kEnded;
  const absl::Time until = absl::Now() + wait;
  const auto deadline = wait == absl::InfiniteDuration()
                            ? std::chrono::system_clock::time_point::max()
                            : absl::ToChronoTime(until);
  while (true) {
    void* tag = nullptr;
    bool ok = false;
    if (queue_.AsyncNext(&tag, &ok, deadline) != grpc::CompletionQueue::GOT_EVENT) {
      return Next::kNothing;
    }
    if (reinterpret_cast<intptr_t>(tag) == kFinished) {
      ended_ = true;
      return Next::kEnded;
    }
    const bool was_read = reinterpret_cast<intptr_t>(tag) == kRead;
    if (ok && was_read) shown_.Swap(&incoming_);
    if (ok) {
      reader_->Read(&incoming_, reinterpret_cast<void*>(kRead));
    } else {
      reader_->Finish(&status_, reinterpret_cast<void*>(kFinished));
    }
    if (ok && was_read) return Next::kEvent;
  }
}

}  // namespace fermata::cli
