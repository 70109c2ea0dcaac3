#include "services/engine/backlog.h"

#include <algorithm>
#include <utility>

#include "services/async/check.h"

namespace fermata {

void Backlog::found(const std::string& queue, size_t jobs) {
  lanes_[queue].jobs = jobs;
  jobs_ += jobs;
  want(queue);
}

bool Backlog::behind(const JobSpec& spec) const {
  const auto lane = lanes_.find(spec.queue);
  if (lane == lanes_.end()) return false;
  return !lane->second.has_horizon || !lane->second.horizon.is_after(spec);
}

Backlog::Lane& Backlog::add(Job& job) {
  const JobSpec& spec = *job.spec;
  const auto [at, fresh] = lanes_.try_emplace(spec.queue);
  Lane& lane = at->second;
  if (fresh || (lane.has_horizon && lane.horizon.is_after(spec))) {
    FERMATA_CHECK(!lane.reading, "a horizon moved while what is behind it was read");
    lane.horizon = LanePlace::of(spec);
    lane.has_horizon = true;
  }
  ++lane.jobs;
  ++jobs_;
  set_aside(job, true);
  return lane;
}

void Backlog::park(Job& job) {
  FERMATA_CHECK(behind(*job.spec), "a job in memory was read back");
  set_aside(job, true);
}

void Backlog::unpark(Job& job) {
  set_aside(job, false);
  took(lanes_.at(job.spec->queue));
}

void Backlog::took(Lane& lane) {
  if (lane.jobs == 0) return;  // somebody else has written to the store's file
  --lane.jobs;
  --jobs_;
}

void Backlog::ended(Job& job) {
  if (!job.parked) return;
  unpark(job);
  tidy(job.spec->queue);
}

void Backlog::set_aside(Job& job, bool parked) {
  FERMATA_CHECK(job.parked != parked, "a job was parked twice, or never");
  job.parked = parked;
  if (parked) {
    parked_.insert(&job);
  } else {
    parked_.erase(&job);
  }
}

Backlog::Lane* Backlog::find(const std::string& queue) {
  const auto lane = lanes_.find(queue);
  return lane == lanes_.end() ? nullptr : &lane->second;
}

void Backlog::want(const std::string& queue) {
  Lane& lane = lanes_.at(queue);
  if (lane.wanted) return;
  lane.wanted = true;
  wanted_.push_back(queue);
}

Backlog::Lane* Backlog::next_wanted(std::string* queue) {
  if (!wanted_.empty()) {
    *queue = std::move(wanted_.front());
    wanted_.pop_front();
    Lane* const lane = find(*queue);
    lane->wanted = false;
    return lane;
  }
  return nullptr;
}

std::vector<JobRef> Backlog::read_to_the_end(const std::string& queue) {
  Lane& lane = lanes_.at(queue);
  std::vector<JobRef> jobs;
  for (Job* job : parked_) {
    if (job->spec->queue == queue) jobs.push_back(job->shared_from_this());
  }
  for (const JobRef& job : jobs) unpark(*job);
  std::sort(jobs.begin(), jobs.end(), [](const JobRef& a, const JobRef& b) {
    return LanePlace::of(*b->spec).is_after(*a->spec);
  });
  jobs_ -= lane.jobs;  // those that are damaged
  lane.jobs = 0;
  lane.held.clear();
  tidy(queue);
  return jobs;
}

void Backlog::tidy(const std::string& queue) {
  const auto lane = lanes_.find(queue);
  if (lane == lanes_.end() || lane->second.jobs > 0 || lane->second.reading) return;
  if (lane->second.wanted) std::erase(wanted_, queue);
  lanes_.erase(lane);
}

void Backlog::clear() {
  for (Job* job : parked_) job->parked = false;
  parked_.clear();
  lanes_.clear();
  wanted_.clear();
  jobs_ = 0;
}

}  // namespace fermata
