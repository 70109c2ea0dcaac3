// CrashStore: one life of a process in front of a store that outlives it. Keeps what was committed,
// and at a commit that the test chooses the process is gone: with the commit or without it, nobody
// is answered any more.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "services/async/async.h"
#include "services/store/job_store.h"

namespace fermata {

class CrashStore final : public JobStore {
 public:
  explicit CrashStore(JobStore& kept) : kept_(kept) {}

  int crash_at = 0;                 // the number of the commit; 0: none
  bool loses_commit = false;        // the one that crashes is not kept
  Event over;                       // it has crashed; a test may set it too, to end a life
  std::map<std::string, int> ends;  // final records kept, by job
  int commits = 0;

  Co<absl::Status> commit(std::vector<JobView> batch) override {
    co_await sleep(absl::Milliseconds(1));
    if (crashed_) co_await sleep(absl::InfiniteDuration());
    crashed_ = ++commits == crash_at;
    if (crashed_ && loses_commit) {
      over.set();
      co_await sleep(absl::InfiniteDuration());
    }
    for (const JobView& record : batch) ends[record->id()] += record->finished();
    absl::Status stored = co_await kept_.commit(std::move(batch));
    if (crashed_) {
      over.set();
      co_await sleep(absl::InfiniteDuration());
    }
    co_return stored;
  }
  Co<absl::StatusOr<JobView>> get(std::string id) override { return kept_.get(std::move(id)); }
  Co<absl::StatusOr<JobView>> find_request(std::string request_id) override {
    return kept_.find_request(std::move(request_id));
  }
  Co<absl::StatusOr<JobPage>> list_finished(JobFilter filter, std::string before,
                                            size_t limit) override {
    return kept_.list_finished(std::move(filter), std::move(before), limit);
  }
  Co<absl::StatusOr<JobPage>> list_unfinished(JobFilter filter, std::string before,
                                              size_t limit) override {
    return kept_.list_unfinished(std::move(filter), std::move(before), limit);
  }
  Co<absl::StatusOr<std::vector<StoredLane>>> lanes() override { return kept_.lanes(); }
  Co<absl::StatusOr<LanePage>> lane(std::string queue, std::optional<LanePlace> from, size_t limit,
                                    size_t bytes) override {
    return kept_.lane(std::move(queue), std::move(from), limit, bytes);
  }
  Co<absl::StatusOr<DuePage>> due(absl::Time until, DuePlace after, size_t limit) override {
    return kept_.due(until, std::move(after), limit);
  }
  Co<absl::Status> remove(std::string id) override { return kept_.remove(std::move(id)); }
  bool keeps(const JobSpec& spec) const override { return true; }
  std::string newest_id() const override { return newest; }
  int64_t sequence_floor() const override { return floor; }
  StoreStats stats() const override { return kept_.stats(); }

  std::string newest;
  int64_t floor = 0;

 private:
  JobStore& kept_;
  bool crashed_ = false;
};

}  // namespace fermata
