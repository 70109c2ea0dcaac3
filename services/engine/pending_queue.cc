#include "services/engine/pending_queue.h"

#include <algorithm>
#include <utility>

#include "services/async/check.h"

namespace fermata {

void PendingQueue::push(Job& job) {
  FERMATA_CHECK(!job.queued, "a job is queued twice");
  const auto [at, fresh] = lanes_.try_emplace(job.spec->queue);
  if (fresh) at->second.turn = turns_.insert(turns_.end(), job.spec->queue);
  Level& level = at->second.levels[job.spec->priority];
  // The newest comes last, but for a few whose way into the store took longer.
  Job* before = level.last;
  while (before != nullptr && before->spec->id > job.spec->id) before = before->previous;
  job.queued = true;
  job.previous = before;
  job.next = before == nullptr ? level.first : before->next;
  (before == nullptr ? level.first : before->next) = &job;
  (job.next == nullptr ? level.last : job.next->previous) = &job;
  ++at->second.size;
  ++size_;
}

size_t PendingQueue::size_of(const std::string& queue) const {
  const auto lane = lanes_.find(queue);
  return lane == lanes_.end() ? 0 : lane->second.size;
}

Job* PendingQueue::last(const std::string& queue) const {
  const auto lane = lanes_.find(queue);
  return lane == lanes_.end() ? nullptr : lane->second.levels.rbegin()->second.last;
}

Job* PendingQueue::pop() {
  return pop([](const Job&) { return true; });
}

Job* PendingQueue::pop(May may) {
  for (auto turn = turns_.begin(); turn != turns_.end(); ++turn) {
    const auto lane = lanes_.find(*turn);
    Job& job = first_of(lane->second);
    if (!may(job)) continue;
    turns_.splice(turns_.end(), turns_, turn);
    unlink(lane, job);
    return &job;
  }
  return nullptr;
}

bool PendingQueue::has(May may) const {
  for (const auto& [name, lane] : lanes_) {
    if (may(first_of(lane))) return true;
  }
  return false;
}

void PendingQueue::remove(Job& job) {
  FERMATA_CHECK(job.queued, "a job that is not queued cannot leave the queue");
  unlink(lanes_.find(job.spec->queue), job);
}

void PendingQueue::unlink(std::map<std::string, Lane>::iterator lane, Job& job) {
  const auto level = lane->second.levels.find(job.spec->priority);
  (job.previous == nullptr ? level->second.first : job.previous->next) = job.next;
  (job.next == nullptr ? level->second.last : job.next->previous) = job.previous;
  job.previous = job.next = nullptr;
  job.queued = false;
  --lane->second.size;
  --size_;
  if (level->second.first != nullptr) return;
  lane->second.levels.erase(level);
  if (!lane->second.levels.empty()) return;
  turns_.erase(lane->second.turn);
  lanes_.erase(lane);
}

absl::Time PendingQueue::oldest() const {
  absl::Time oldest = absl::InfiniteFuture();
  for (const auto& [name, lane] : lanes_) {
    for (const auto& [priority, level] : lane.levels) {
      oldest = std::min(oldest, level.first->spec->create_time);
    }
  }
  return oldest;
}

}  // namespace fermata
