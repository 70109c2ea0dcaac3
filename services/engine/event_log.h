// EventLog: the last events of one job, for any number of readers that each go at their own pace.
//
//     dropped ◄─┤ complete_since_ │ e e e e e e e │ ◄── add()
//                                     ▲        ▲
//                                   Watch    Watch     a reader is a number: the sequence it has
//                                   seen
//
// A reader behind complete_since_ gets a snapshot of the job instead of what was dropped, so the
// log is bounded, readers cost nothing while they wait, and nobody misses news without notice. It
// is made when the first reader comes: a job nobody watches only counts its events. Owned by the
// job and its readers; loop thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "services/async/async.h"
#include "services/engine/job_event.h"

namespace fermata {

class EventLog {
 public:
  // `sequence` is the job's now. `view` gives the job as it is; it is called until close().
  // `readers` counts the readers of all jobs.
  EventLog(size_t capacity, int64_t sequence, std::function<JobView()> view,
           std::shared_ptr<int64_t> readers);

  void add(JobEvent event);
  // No more events, and no more views: the job is gone.
  void close();
  bool closed() const { return closed_; }
  // Closed before FINISHED: the job has not ended, the engine has.
  bool left() const;

  // What a reader that has seen `after` reads next; nothing: there is no news yet.
  std::optional<JobEvent> next(int64_t after) const;
  // Pulsed by add() and close().
  Event& changed() { return changed_; }

  void reader_came() { ++*readers_; }
  void reader_left() { --*readers_; }

  // When the moves of a stage were last told, so that 10,000 calls do not become 10,000 events.
  struct Pace {
    int64_t done = -1;
    absl::Time time = absl::InfinitePast();
  };
  Pace& pace(size_t stage);

 private:
  const size_t capacity_;
  int64_t complete_since_;  // every event after this one is in events_
  std::deque<JobEvent> events_;
  std::function<JobView()> view_;
  std::shared_ptr<int64_t> readers_;
  std::vector<Pace> paces_;
  bool closed_ = false;
  Event changed_;
};

}  // namespace fermata
