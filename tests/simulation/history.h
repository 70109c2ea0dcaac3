// History: what the clients and the stages of a simulated daemon saw, over all its lives, and the
// rules that must hold of it. It knows nothing of the engine.
//
// From a crash to the next life it is closed: what the dying process still does, nobody saw.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "services/engine/job_event.h"
#include "services/store/job_record.h"
#include "tests/simulation/disk.h"

namespace fermata::simulation {

// All that a terminal state is known by: "SUCCEEDED 12.3s {...}".
std::string end_of(const JobRecord& job);

// One job, by its key, which is also its request id.
struct JobHistory {
  std::set<std::string> ids;                     // what the request was answered with
  std::set<std::string> ends;                    // terminal states that were seen
  std::vector<std::string> starts;               // of its stages, in order, over all lives
  std::map<std::string, int> runs;               // by stage: how often it was begun
  std::map<std::string, bool> in_doubt;          // begun, and it did not say that it failed
  bool may_run_again = false;                    // the store refused to keep what a stage gave
  absl::Time deadline = absl::InfiniteFuture();  // as it was acknowledged
  int64_t last_sequence = 0;                     // that a watcher saw
  bool cancel_asked = false;
  bool delete_asked = false;  // perhaps it has come through
  bool deleted = false;       // it has
};

class History {
 public:
  explicit History(const Disk& disk) : disk_(disk) {}

  bool open() const { return !disk_.dead(); }

  std::map<std::string, JobHistory> jobs;  // by key
  std::vector<std::string> wrong;          // what was seen to be wrong at once

  // A stage of the job begins; which run of it this is.
  int stage_began(const std::string& key, const std::string& stage);
  // A run said that it failed, so that it may be tried again.
  void stage_failed(const std::string& key, const std::string& stage);
  void acknowledged(const std::string& key, const JobRecord& job);
  void ended(const std::string& key, const JobRecord& job);
  void complain(std::string what);

  // What does not hold, as sentences. `stored`: all that the last life has, by id.
  std::vector<std::string> violations(const std::map<std::string, JobView>& stored) const;

  // An event that a watcher got. `follows`: it had one before it, and is owed the very next one.
  void saw(const std::string& key, const JobEvent& event, bool follows);

 private:
  void check_job(const std::string& key, const JobRecord& job, std::vector<std::string>& out) const;
  static void check_end(const std::string& key, const JobRecord& job, const JobHistory& history,
                        std::vector<std::string>& out);

  const Disk& disk_;
};

}  // namespace fermata::simulation
