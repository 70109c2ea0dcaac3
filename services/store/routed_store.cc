#include "services/store/routed_store.h"

#include <utility>

namespace fermata {

bool RoutedStore::keeps(const JobSpec& spec) const {
  return !in_memory(spec) && lasting_.keeps(spec);
}

Co<absl::Status> RoutedStore::commit(std::vector<JobView> batch) {
  co_return co_await commit_both(std::move(batch), false);
}

Co<absl::Status> RoutedStore::commit_synced(std::vector<JobView> batch) {
  co_return co_await commit_both(std::move(batch), true);
}

Co<absl::Status> RoutedStore::commit_both(std::vector<JobView> batch, bool synced) {
  std::vector<JobView> lasting, passing;
  for (JobView& job : batch) {
    std::vector<JobView>& side = in_memory(*job->spec) ? passing : lasting;
    side.push_back(std::move(job));
  }
  if (!lasting.empty()) {
    absl::Status stored;
    if (synced) {
      stored = co_await lasting_.commit_synced(std::move(lasting));
    } else {
      stored = co_await lasting_.commit(std::move(lasting));
    }
    if (!stored.ok()) co_return stored;
  }
  if (passing.empty()) co_return absl::OkStatus();
  co_return co_await memory_.commit(std::move(passing));
}

Co<absl::StatusOr<JobView>> RoutedStore::get(std::string id) {
  absl::StatusOr<JobView> found = co_await memory_.get(id);
  if (!absl::IsNotFound(found.status())) co_return found;
  co_return co_await lasting_.get(std::move(id));
}

Co<absl::StatusOr<JobView>> RoutedStore::find_request(std::string request_id) {
  absl::StatusOr<JobView> found = co_await memory_.find_request(request_id);
  if (!found.ok() || *found != nullptr) co_return found;
  co_return co_await lasting_.find_request(std::move(request_id));
}

Co<absl::StatusOr<JobPage>> RoutedStore::list_finished(JobFilter filter, std::string before,
                                                       size_t limit) {
  absl::StatusOr<JobPage> passing = co_await memory_.list_finished(filter, before, limit);
  if (!passing.ok()) co_return passing;
  absl::StatusOr<JobPage> lasting =
      co_await lasting_.list_finished(std::move(filter), std::move(before), limit);
  if (!lasting.ok()) co_return lasting;
  co_return merge_pages(*std::move(passing), *std::move(lasting), limit);
}

Co<absl::StatusOr<JobPage>> RoutedStore::list_unfinished(JobFilter filter, std::string before,
                                                         size_t limit) {
  absl::StatusOr<JobPage> passing = co_await memory_.list_unfinished(filter, before, limit);
  if (!passing.ok()) co_return passing;
  absl::StatusOr<JobPage> lasting =
      co_await lasting_.list_unfinished(std::move(filter), std::move(before), limit);
  if (!lasting.ok()) co_return lasting;
  co_return merge_pages(*std::move(passing), *std::move(lasting), limit);
}

// Jobs of memory queues are in the memory of whoever runs them; nobody reads them back.
Co<absl::StatusOr<std::vector<StoredLane>>> RoutedStore::lanes() {
  co_return co_await lasting_.lanes();
}

Co<absl::StatusOr<LanePage>> RoutedStore::lane(std::string queue, std::optional<LanePlace> from,
                                               size_t limit, size_t bytes) {
  co_return co_await lasting_.lane(std::move(queue), std::move(from), limit, bytes);
}

Co<absl::StatusOr<DuePage>> RoutedStore::due(absl::Time until, DuePlace after, size_t limit) {
  co_return co_await lasting_.due(until, std::move(after), limit);
}

Co<absl::Status> RoutedStore::remove(std::string id) {
  absl::Status removed = co_await memory_.remove(id);
  if (!absl::IsNotFound(removed)) co_return removed;
  co_return co_await lasting_.remove(std::move(id));
}

Co<void> RoutedStore::close() {
  co_await memory_.close();
  co_await lasting_.close();
}

StoreStats RoutedStore::stats() const {
  StoreStats all = lasting_.stats();
  const StoreStats passing = memory_.stats();
  all.live += passing.live;
  all.finished += passing.finished;
  all.finished_bytes += passing.finished_bytes;
  all.commits += passing.commits;
  all.records += passing.records;
  all.evicted += passing.evicted;
  return all;
}

}  // namespace fermata
