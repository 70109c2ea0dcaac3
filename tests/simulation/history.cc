#include "tests/simulation/history.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_join.h"
#include "services/config/str_cat.h"

namespace fermata::simulation {
namespace {

// Timers of a hostile loop are late by up to ten seconds.
constexpr absl::Duration kLate = absl::Seconds(30);

// Before one of `later` began, `earlier` was over and stored; so it never begins after it.
bool done_again(const std::vector<std::string>& starts, const std::string& earlier,
                const std::string& later) {
  const auto first = std::find(starts.begin(), starts.end(), later);
  return std::find(first, starts.end(), earlier) != starts.end();
}

}  // namespace

std::string end_of(const JobRecord& job) {
  return str_cat(std::string(to_string(job.state)), " ", job.reason, " ",
                 absl::FormatTime(absl::RFC3339_full, job.end_time, absl::UTCTimeZone()), " ",
                 job.result == nullptr ? "" : *job.result,
                 job.error.has_value() ? job.error->message : "");
}

int History::stage_began(const std::string& key, const std::string& stage) {
  if (!open()) return 0;
  JobHistory& job = jobs[key];
  job.starts.push_back(stage);
  // Those of the pipeline `once` that have `if_lost: fail`.
  const bool may_not_run_twice = stage.starts_with("sole");
  if (may_not_run_twice && job.in_doubt[stage]) {
    complain(str_cat(key, " entered ", stage, " again: ", absl::StrJoin(job.starts, " ")));
  }
  job.in_doubt[stage] = true;
  return ++job.runs[stage];
}

void History::stage_failed(const std::string& key, const std::string& stage) {
  if (open()) jobs[key].in_doubt[stage] = false;
}

void History::acknowledged(const std::string& key, const JobRecord& job) {
  if (!open()) return;
  JobHistory& known = jobs[key];
  known.ids.insert(job.id());
  known.deadline = std::min(known.deadline, job.spec->deadline);
  if (job.finished()) ended(key, job);
}

void History::ended(const std::string& key, const JobRecord& job) {
  if (open()) jobs[key].ends.insert(end_of(job));
}

void History::complain(std::string what) {
  if (open()) wrong.push_back(std::move(what));
}

void History::saw(const std::string& key, const JobEvent& event, bool follows) {
  if (!open()) return;
  int64_t& last = jobs[key].last_sequence;
  const bool snapshot = event.kind == JobEventKind::kSnapshot;
  if (event.sequence < last || (event.sequence == last && !snapshot)) {
    wrong.push_back(str_cat(key, ": event ", event.sequence, " after ", last));
  } else if (follows && !snapshot && event.sequence != last + 1) {
    wrong.push_back(str_cat(key, ": event ", last, " was followed by ", event.sequence));
  }
  last = event.sequence;
}

std::vector<std::string> History::violations(const std::map<std::string, JobView>& stored) const {
  std::vector<std::string> out = wrong;
  std::map<std::string, std::string> id_of;
  for (const auto& [id, job] : stored) {
    const std::string& key = job->spec->request_id;
    const auto [other, first] = id_of.emplace(key, id);
    if (!first) out.push_back(str_cat("request ", key, " made ", other->second, " and ", id));
    check_job(key, *job, out);
  }
  for (const auto& [key, job] : jobs) {
    if (job.ids.size() > 1) {
      out.push_back(str_cat("request ", key, " was answered with ", absl::StrJoin(job.ids, ", ")));
    }
    for (const std::string& id : job.ids) {
      const bool there = stored.count(id) != 0;
      if (!there && !job.delete_asked) out.push_back(str_cat(key, " (", id, ") is lost"));
      if (there && job.deleted) out.push_back(str_cat(key, " (", id, ") was deleted and is back"));
    }
  }
  return out;
}

void History::check_end(const std::string& key, const JobRecord& job, const JobHistory& history,
                        std::vector<std::string>& out) {
  const absl::Time deadline = history.deadline;
  if (job.state == JobState::kExpired && job.end_time >= deadline) return;
  if (job.state == JobState::kCancelled && history.cancel_asked) return;
  // It may not begin twice, and a crash came between its begin and its stored end.
  const bool may_be_lost = job.spec->pipeline == "once" && job.reason == "STAGE_LOST";
  if (may_be_lost && job.state == JobState::kFailed) return;
  // A retry that could only come after the deadline is not waited for.
  const bool in_vain = job.state == JobState::kFailed && job.reason == "STAGE_FAILED";
  if (in_vain && deadline != absl::InfiniteFuture()) return;
  if (job.state != JobState::kSucceeded) out.push_back(str_cat(key, " ended as ", end_of(job)));
  if (job.end_time > deadline + kLate) {
    out.push_back(str_cat(key, " outlived its deadline: ", end_of(job)));
  }
}

void History::check_job(const std::string& key, const JobRecord& job,
                        std::vector<std::string>& out) const {
  const auto known = jobs.find(key);
  if (known == jobs.end()) return;  // stored, and its client never heard of it
  const JobHistory& history = known->second;
  std::set<std::string> ends = history.ends;
  if (job.finished()) ends.insert(end_of(job));
  if (ends.size() > 1) {
    out.push_back(str_cat(key, " ended more than once: ", absl::StrJoin(ends, " | ")));
  }
  if (!job.finished()) out.push_back(str_cat(key, " has not ended: ", to_string(job.state)));
  if (job.finished()) check_end(key, job, history, out);
  if (history.may_run_again) return;
  static const std::vector<std::pair<std::string, std::string>> kOrder = {
      {"one", "two"},    {"two", "three"},   {"one", "three"}, {"left", "join"},
      {"right", "join"}, {"before", "sole"}, {"sole", "last"}};
  for (const auto& [earlier, later] : kOrder) {
    if (done_again(history.starts, earlier, later)) {
      out.push_back(str_cat(key, " ran ", earlier, " again after ", later,
                            " had begun: ", absl::StrJoin(history.starts, " ")));
    }
  }
}

}  // namespace fermata::simulation
