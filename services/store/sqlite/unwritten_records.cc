#include "services/store/sqlite/unwritten_records.h"

#include <algorithm>
#include <utility>

namespace fermata {

void UnwrittenRecords::put(JobKey key, JobView record) {
  JobView& place = jobs_[key];
  if (place != nullptr) {
    if (place->finished() || place->sequence > record->sequence) return;
    bytes_ -= bytes_of(*place);
  }
  bytes_ += bytes_of(*record);
  const std::string& request_id = record->spec->request_id;
  if (!request_id.empty()) requests_[request_id] = key;
  place = std::move(record);
}

void UnwrittenRecords::written(const JobView& record) {
  const auto found = jobs_.find(key_of(record->id()).value_or(-1));
  if (found == jobs_.end() || found->second != record) return;
  bytes_ -= bytes_of(*record);
  requests_.erase(record->spec->request_id);
  jobs_.erase(found);
}

JobView UnwrittenRecords::get(const std::string& id) const {
  if (jobs_.empty()) return nullptr;
  const auto found = jobs_.find(key_of(id).value_or(-1));
  return found == jobs_.end() || found->second->id() != id ? nullptr : found->second;
}

JobView UnwrittenRecords::find_request(const std::string& request_id) const {
  const auto found = requests_.find(request_id);
  return found == requests_.end() ? nullptr : jobs_.at(found->second);
}

void UnwrittenRecords::lay_over(const JobFilter& filter, JobKey before, size_t limit, bool finished,
                                JobPage& page) const {
  if (jobs_.empty()) return;
  const JobKey end = page.next_page_token.empty() ? -1 : key_of(page.next_page_token).value_or(-1);
  for (const auto& [key, record] : jobs_) {
    if (key < end || key >= before) continue;
    if (record->finished() != finished || !filter.matches(*record)) continue;
    // Written meanwhile, perhaps.
    const bool there =
        std::any_of(page.jobs.begin(), page.jobs.end(),
                    [&record](const JobView& job) { return job->id() == record->id(); });
    if (!there) page.jobs.push_back(record);
  }
  std::sort(page.jobs.begin(), page.jobs.end(),
            [](const JobView& a, const JobView& b) { return a->id() > b->id(); });
  if (page.jobs.size() <= limit) return;
  page.jobs.resize(limit);
  page.next_page_token = page.jobs.back()->id();
}

std::vector<JobView> UnwrittenRecords::all() const {
  std::vector<JobView> records;
  records.reserve(jobs_.size());
  for (const auto& [key, record] : jobs_) records.push_back(record);
  return records;
}

}  // namespace fermata
