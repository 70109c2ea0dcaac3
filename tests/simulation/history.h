// History: what the clients and the stages of a simulated daemon saw, over all its lives, and the
// rules that must hold of it. It knows nothing of the engine.
//
// At a crash it is closed for that life: what the dying process still does, nobody saw.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "services/store/job_record.h"

namespace fermata::simulation {

// All that a terminal state is known by: "SUCCEEDED 12.3s {...}".
std::string end_of(const JobRecord& job);

// One job, by its key, which is also its request id.
struct JobHistory {
  std::set<std::string> ids;        // what the request was answered with
  std::set<std::string> ends;       // terminal states that were seen
  std::vector<std::string> starts;  // of its stages, in order, over all lives
  std::map<std::string, int> runs;  // by stage: how often it was begun
  bool may_run_again = false;       // the store refused to keep what a stage gave
  bool may_expire = false;          // it has a timeout
  bool cancel_asked = false;
  bool delete_asked = false;  // perhaps it has come through
  bool deleted = false;       // it has
};

class History {
 public:
  bool open = true;
  std::map<std::string, JobHistory> jobs;  // by key
  std::vector<std::string> wrong;          // what was seen to be wrong at once

  void acknowledged(const std::string& key, const JobRecord& job);
  void ended(const std::string& key, const JobRecord& job);
  void complain(std::string what);

  // What does not hold, as sentences. `stored`: all that the last life has, by id.
  std::vector<std::string> violations(const std::map<std::string, JobView>& stored) const;

 private:
  void check_job(const std::string& key, const JobRecord& job, std::vector<std::string>& out) const;
};

}  // namespace fermata::simulation
