#pragma once

// One Watch call that a single thread can wait on together with a clock: an event, the end of the
// stream, or nothing for a while, whichever comes first. That is what live progress and Ctrl-C
// need.

#include <cstdint>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "fermata/v1/jobs.grpc.pb.h"
#include "grpcpp/completion_queue.h"

namespace fermata::cli {

class EventStream {
 public:
  enum class Next { kEvent, kNothing, kEnded };

  EventStream(v1::Jobs::Stub& jobs, const std::string& job, int64_t after_sequence);
  ~EventStream();
  EventStream(const EventStream&) = delete;
  EventStream& operator=(const EventStream&) = delete;

  // Waits at most `wait`. After kEvent, event() is it until the next call; after kEnded, status().
  Next next(absl::Duration wait);
  const v1::JobEvent& event() const { return shown_; }
  const grpc::Status& status() const { return status_; }

 private:
  enum Tag : intptr_t { kStarted = 1, kRead = 2, kFinished = 3 };

  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::ClientAsyncReader<v1::JobEvent>> reader_;
  v1::JobEvent incoming_;
  v1::JobEvent shown_;
  grpc::Status status_;
  bool ended_ = false;
};

}  // namespace fermata::cli
