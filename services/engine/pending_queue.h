// PendingQueue: jobs that wait for their turn.
//
//   lane "default"   priority 5: job job      lanes take turns, so a full one cannot starve
//                    priority 0: job job job  another; within a lane the highest priority goes
//   lane "reports"   priority 0: job          first, and equals by age: their ids ascend
//
// Intrusive: a job leaves from the middle (cancelled, expired) in constant time and nothing is
// allocated per job. Bounded by Admission, which counts its jobs. Does not own them. Loop thread
// only.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <string>

#include "absl/functional/function_ref.h"
#include "services/engine/job.h"

namespace fermata {

class PendingQueue {
 public:
  void push(Job& job);
  // The next one to run; null when there is none.
  Job* pop();
  // The same among the queues whose first job `may` run; all jobs of a queue may, or none.
  using May = absl::FunctionRef<bool(const Job&)>;
  Job* pop(May may);
  bool has(May may) const;
  // Requires job.queued.
  void remove(Job& job);

  size_t size() const { return size_; }
  size_t lanes() const { return lanes_.size(); }
  size_t size_of(const std::string& queue) const;
  // The one of the queue whose turn comes last; null when there is none.
  Job* last(const std::string& queue) const;
  bool empty() const { return size_ == 0; }
  // When the job that waits longest was accepted; infinite future when none waits.
  absl::Time oldest() const;

 private:
  struct Level {
    Job* first = nullptr;
    Job* last = nullptr;
  };
  struct Lane {
    std::map<int32_t, Level, std::greater<>> levels;
    size_t size = 0;
    std::list<std::string>::iterator turn;
  };

  static Job& first_of(const Lane& lane) { return *lane.levels.begin()->second.first; }
  // Takes the job out; forgets levels and lanes that are empty.
  void unlink(std::map<std::string, Lane>::iterator lane, Job& job);

  std::map<std::string, Lane> lanes_;
  std::list<std::string> turns_;  // names of lanes, the next to be served first
  size_t size_ = 0;
};

}  // namespace fermata
