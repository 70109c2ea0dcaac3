// Backlog: pending jobs that only the store has, by lane.
//
//   lane "default"   job job job job ┊ · · · · · · · · ·     in the order of their turns
//                    in PendingQueue ┊ in the store; of some a Job too, since somebody asks
//                                    horizon
//
// A lane is a queue's jobs in the order of their turns. Every pending job before its horizon is in
// PendingQueue, and none behind it is: so what runs next is what would run next if all were in
// memory. A job behind it of which there is a Job all the same is parked: it is known, and waits
// for its turn like the others. A lane without a job behind its horizon is not here.
//
// Only bookkeeping: the engine reads and forgets (engine_backlog.cc). Owns no jobs but those that
// are held. Loop thread only.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "services/engine/job.h"
#include "services/store/lane.h"

namespace fermata {

class Backlog {
 public:
  struct Lane {
    size_t jobs = 0;           // behind the horizon
    bool has_horizon = false;  // false: it is before the first job, nothing was read yet
    LanePlace horizon;         // the first place behind it
    bool reading = false;      // its next jobs are being read
    bool wanted = false;       // it is in the order to be read
    std::vector<JobRef> held;  // came behind it meanwhile, so nobody knows yet on which side it is
  };

  // At start: what the store has of a queue, none of it in memory.
  void found(const std::string& queue, size_t jobs);

  // Whether the job's place is behind its lane's horizon.
  bool behind(const JobSpec& spec) const;
  // The job is behind the horizon now, which comes forward to its place if need be; it is parked.
  Lane& add(Job& job);
  // A job that is read back because somebody asks for it.
  void park(Job& job);
  // It is one of those in memory now.
  void unpark(Job& job);
  // Nobody asks for it any more; it is still behind the horizon.
  void forget(Job& job) { set_aside(job, false); }
  // One job behind the horizon is in memory now.
  void took(Lane& lane);
  // A job has ended, parked or not.
  void ended(Job& job);

  // Null: it has none behind a horizon.
  Lane* find(const std::string& queue);
  // The lane is to be read; those that are wanted take turns.
  void want(const std::string& queue);
  // Null: none is wanted. `queue` says which it was.
  Lane* next_wanted(std::string* queue);
  // What was read is in memory, and nothing is behind it: these were parked until now.
  std::vector<JobRef> read_to_the_end(const std::string& queue);
  // Forgets the lane when it has no job left.
  void tidy(const std::string& queue);
  void clear();

  size_t jobs() const { return jobs_; }                     // behind all horizons
  size_t absent() const { return jobs_ - parked_.size(); }  // of these, without a Job
  size_t lanes() const { return lanes_.size(); }
  const absl::flat_hash_set<Job*>& parked() const { return parked_; }

 private:
  void set_aside(Job& job, bool parked);

  std::map<std::string, Lane> lanes_;
  std::deque<std::string> wanted_;
  absl::flat_hash_set<Job*> parked_;
  size_t jobs_ = 0;
};

}  // namespace fermata
