// Watch: one reader of a job's events.
//
// It is a cursor into the job's bounded log, not a queue of its own: a slow reader costs nothing,
// and when the log has moved on past it, it reads one SNAPSHOT in place of what it missed. Dropping
// it ends it; it must stay where it is while next() is awaited. Keeps working after the job has
// ended, until FINISHED was read. Loop thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "services/async/co.h"
#include "services/engine/job_event.h"

namespace fermata {

class EventLog;

class Watch {
 public:
  Watch(std::shared_ptr<EventLog> log, int64_t after_sequence);
  Watch(Watch&& other) noexcept;
  Watch& operator=(Watch&& other) noexcept;
  ~Watch();

  // The next event, or nothing after the last one.
  //   wakes when   something happens to the job, or at once when the reader is behind
  //   on cancel    at once; nothing is lost, the next call gives the same event
  //   on shutdown  gets FINISHED of the job as it was stopped; nothing, and left(), when it goes on
  //                in the next life
  Co<std::optional<JobEvent>> next();

  // Why next() gave nothing: the job has not ended, its engine has.
  bool left() const;

 private:
  std::shared_ptr<EventLog> log_;
  int64_t after_ = 0;
};

}  // namespace fermata
