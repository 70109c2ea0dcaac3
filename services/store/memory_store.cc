#include "services/store/memory_store.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "services/async/check.h"
#include "services/config/str_cat.h"

namespace fermata {
namespace {

absl::Status no_job(const std::string& id) {
  return absl::NotFoundError(str_cat("the store has no job '", id, "'"));
}

}  // namespace

Co<absl::Status> MemoryStore::commit(std::vector<JobView> batch) {
  ++stats_.commits;
  stats_.records += batch.size();
  for (JobView& record : batch) put(std::move(record));
  evict();
  co_return absl::OkStatus();
}

void MemoryStore::put(JobView record) {
  std::unique_ptr<Row>& slot = rows_[record->id()];
  const bool fresh = slot == nullptr;
  if (fresh) {
    // The map's key must be text that the row owns, for as long as the row is there.
    slot = std::make_unique<Row>();
    slot->spec = record->spec;
    const std::string_view id = slot->spec->id;
    by_id_[false].emplace_hint(by_id_[false].end(), id, slot.get());
    if (!slot->spec->request_id.empty()) by_request_[slot->spec->request_id] = slot.get();
    ++stats_.live;
  }
  Row& row = *slot;
  if (!fresh && (row.record->finished() || record->sequence < row.record->sequence)) return;
  row.record = std::move(record);
  if (row.record->finished()) finish(row);
}

void MemoryStore::finish(Row& row) {
  by_id_[false].erase(row.spec->id);
  by_id_[true].emplace_hint(by_id_[true].end(), row.spec->id, &row);
  row.bytes = bytes_of(*row.record);
  row.finish_turn = finish_order_.insert(finish_order_.end(), &row);
  --stats_.live;
  ++stats_.finished;
  stats_.finished_bytes += row.bytes;
}

void MemoryStore::forget(Row& row) {
  FERMATA_CHECK(row.record->finished(), "an unfinished job is never dropped");
  by_id_[true].erase(row.spec->id);
  finish_order_.erase(row.finish_turn);
  --stats_.finished;
  stats_.finished_bytes -= row.bytes;
  const auto request = by_request_.find(row.spec->request_id);
  if (request != by_request_.end() && request->second == &row) by_request_.erase(request);
  const std::shared_ptr<const JobSpec> key_owner = row.spec;
  rows_.erase(key_owner->id);
}

void MemoryStore::evict() {
  const absl::Time oldest = clock_.now() - retention_.age;
  while (!finish_order_.empty()) {
    Row& row = *finish_order_.front();
    if (stats_.finished <= retention_.jobs && stats_.finished_bytes <= retention_.bytes &&
        row.record->end_time >= oldest) {
      return;
    }
    forget(row);
    ++stats_.evicted;
  }
}

Co<absl::StatusOr<JobView>> MemoryStore::get(std::string id) {
  evict();
  const auto found = rows_.find(id);
  if (found == rows_.end()) co_return no_job(id);
  co_return found->second->record;
}

Co<absl::StatusOr<JobView>> MemoryStore::find_request(std::string request_id) {
  evict();
  const auto found = by_request_.find(request_id);
  if (found == by_request_.end()) co_return JobView();
  co_return found->second->record;
}

JobPage MemoryStore::list(const ById& jobs, const JobFilter& filter, const std::string& before,
                          size_t limit) {
  auto at = before.empty() ? jobs.end() : jobs.lower_bound(before);
  JobPage page;
  for (size_t searched = 0; at != jobs.begin() && page.jobs.size() < limit; ++searched) {
    if (searched == kSearchMax) break;
    --at;
    if (filter.matches(*at->second->record)) page.jobs.push_back(at->second->record);
  }
  if (at != jobs.begin()) page.next_page_token = at == jobs.end() ? before : at->first;
  return page;
}

Co<absl::StatusOr<JobPage>> MemoryStore::list_finished(JobFilter filter, std::string before,
                                                       size_t limit) {
  evict();
  co_return list(by_id_[true], filter, before, limit);
}

Co<absl::StatusOr<JobPage>> MemoryStore::list_unfinished(JobFilter filter, std::string before,
                                                         size_t limit) {
  co_return list(by_id_[false], filter, before, limit);
}

Co<absl::StatusOr<std::vector<StoredLane>>> MemoryStore::lanes() {
  std::map<std::string, size_t> jobs;
  for (const auto& [id, row] : by_id_[false]) ++jobs[row->spec->queue];
  std::vector<StoredLane> lanes;
  for (const auto& [queue, count] : jobs) lanes.push_back({queue, count});
  co_return lanes;
}

// What nobody asks of a store that keeps nothing is answered the plain way: it is the model.
Co<absl::StatusOr<LanePage>> MemoryStore::lane(std::string queue, std::optional<LanePlace> from,
                                               size_t limit, size_t bytes) {
  std::vector<JobView> all;
  for (const auto& [id, row] : by_id_[false]) {
    if (row->spec->queue != queue) continue;
    if (!from.has_value() || !from->is_after(*row->spec)) all.push_back(row->record);
  }
  std::sort(all.begin(), all.end(), [](const JobView& a, const JobView& b) {
    return LanePlace::of(*b->spec).is_after(*a->spec);
  });
  LanePage page;
  size_t taken = 0;
  for (JobView& job : all) {
    page.more = page.jobs.size() == limit || taken >= bytes;
    if (page.more) break;
    taken += bytes_of(*job);
    page.jobs.push_back(std::move(job));
  }
  co_return page;
}

Co<absl::StatusOr<DuePage>> MemoryStore::due(absl::Time until, DuePlace after, size_t limit) {
  std::map<std::pair<absl::Time, std::string>, JobView> all;
  for (const auto& [id, row] : by_id_[false]) {
    if (row->spec->deadline == absl::InfiniteFuture()) continue;
    all[{row->spec->deadline, row->spec->id}] = row->record;
  }
  DuePage page;
  for (auto at = all.upper_bound({after.deadline, after.id}); at != all.end(); ++at) {
    if (at->first.first > until) {
      page.next = at->first.first;
      break;
    }
    page.more = page.jobs.size() == limit;
    if (page.more) break;
    page.jobs.push_back(at->second);
  }
  co_return page;
}

Co<absl::Status> MemoryStore::remove(std::string id) {
  evict();
  const auto found = rows_.find(id);
  if (found == rows_.end()) co_return no_job(id);
  Row& row = *found->second;
  if (!row.record->finished()) {
    co_return absl::FailedPreconditionError(str_cat("job '", id, "' is ",
                                                    to_string(row.record->state),
                                                    "; only a finished job can be "
                                                    "removed"));
  }
  forget(row);
  co_return absl::OkStatus();
}

StoreStats MemoryStore::stats() const { return stats_; }

}  // namespace fermata
