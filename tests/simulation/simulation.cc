#include "tests/simulation/simulation.h"

#include <algorithm>
#include <memory>
#include <random>

#include "absl/strings/str_join.h"
#include "services/config/str_cat.h"
#include "tests/simulation/life.h"
#include "tests/simulation/model_disk.h"
#include "tests/simulation/sqlite_disk.h"

namespace fermata::simulation {
namespace {

constexpr int kJobs = 8;

std::vector<ClientPlan> draw_plans(std::mt19937_64& random) {
  const std::vector<std::string> pipelines = {"chain", "diamond", "fan", "once"};
  std::vector<ClientPlan> plans;
  for (int i = 0; i < kJobs; ++i) {
    ClientPlan plan;
    plan.key = str_cat("k", i);
    plan.pipeline = pipelines[random() % pipelines.size()];
    plan.cancels = random() % 6 == 0;
    plan.watches = random() % 2 == 0;
    plan.deletes = random() % 4 == 0;
    plan.repeats = random() % 3 == 0;
    plan.priority = static_cast<int32_t>(random() % 3);
    if (random() % 6 == 0) plan.timeout = absl::Milliseconds(5 + random() % 60);
    if (random() % 6 == 0) {
      plan.pipeline = "stuck";
      plan.timeout = absl::Milliseconds(1 + random() % 400);
    }
    plans.push_back(std::move(plan));
  }
  return plans;
}

std::unique_ptr<Disk> make_disk(uint64_t seed, DiskKind kind) {
  if (kind == DiskKind::kModel) return std::make_unique<ModelDisk>();
  return std::make_unique<SqliteDisk>(seed);
}

// What the clock says of the time from a crash to the next start: as a rule a moment, sometimes
// more than any deadline, and sometimes it was set back meanwhile.
absl::Duration draw_pause(std::mt19937_64& random) {
  switch (random() % 8) {
    case 0:
      return absl::Hours(1);
    case 1:
      return -absl::Hours(1);
    case 2:
      return -absl::Milliseconds(1 + random() % 50);
    default:
      return absl::Milliseconds(1 + random() % 50);
  }
}

// A result names the runs that it was made of: the last ones, since a stored output is not made
// again.
void check_results(const std::map<std::string, JobView>& stored, const History& history,
                   std::vector<std::string>& violations) {
  for (const auto& [id, job] : stored) {
    const auto known = history.jobs.find(job->spec->request_id);
    if (job->result == nullptr || known == history.jobs.end()) continue;
    if (known->second.may_run_again) continue;
    for (const auto& [stage, runs] : known->second.runs) {
      if (stage == "each") continue;  // many calls
      const std::string want = str_cat("\"", stage, "#", runs, "\"");
      if (job->result->find(want) != std::string::npos) continue;
      violations.push_back(str_cat(known->first, ": expected ", want, " in ", *job->result));
    }
  }
}

}  // namespace

StoreFaults faults_of(uint64_t seed) {
  StoreFaults faults;
  if (seed % 3 == 1) faults.no_space_percent = 10;
  if (seed % 5 == 2) faults.failed_sync_percent = 4;
  if (seed % 4 == 2) faults.failed_read_percent = 20;
  if (seed % 7 == 3) faults.slowest = absl::Milliseconds(60);
  return faults;
}

DiskKind disk_of(uint64_t seed) { return seed / 2 % 2 == 0 ? DiskKind::kModel : DiskKind::kSqlite; }

SimulationResult simulate(uint64_t seed, const StoreFaults& faults, DiskKind kind) {
  std::mt19937_64 random(seed);
  const std::vector<ClientPlan> plans = draw_plans(random);
  const std::unique_ptr<Disk> disk = make_disk(seed, kind);
  History history(*disk);
  SimulationResult result;
  const int crashes = static_cast<int>(random() % 5);
  absl::Duration start;
  for (int life = 0; life <= crashes; ++life) {
    const bool last = life == crashes;
    const auto crash_at = last ? absl::InfiniteDuration() : absl::Microseconds(random() % 150000);
    StoreFaults of_this = faults;
    if (last) of_this.no_space_percent = of_this.failed_sync_percent = 0;
    if (!last && random() % 2 == 0) disk->die_within(1 + random() % 300);
    const auto daemon = std::make_unique<Life>(seed * 8 + static_cast<uint64_t>(life), *disk,
                                               history, plans, of_this);
    const absl::Status ended = daemon->run(start, crash_at);
    if (!ended.ok()) {
      history.wrong.push_back(str_cat("life ", life, " ended with ", ended.ToString()));
    }
    start = std::max(absl::ZeroDuration(), daemon->now() + draw_pause(random));
    ++result.lives;
  }
  for (const std::string& key : disk->refused) history.jobs[key].may_run_again = true;
  const std::map<std::string, JobView> stored = disk->read(history.wrong);
  result.violations = history.violations(stored);
  check_results(stored, history, result.violations);
  result.jobs = static_cast<int>(stored.size());
  for (const auto& [id, job] : stored) result.lost += job->reason == "STAGE_LOST";
  for (const auto& [key, job] : history.jobs) {
    result.trace +=
        str_cat(key, ": ", absl::StrJoin(job.ids, " "), " ", absl::StrJoin(job.starts, " "), " ",
                absl::StrJoin(job.ends, " "), "\n");
  }
  return result;
}

}  // namespace fermata::simulation
