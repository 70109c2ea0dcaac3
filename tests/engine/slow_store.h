// SlowStore: a store that takes its time and can be told to fail, in front of another one. Stands
// for a durable store, also in keeping what it has when `durable`.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "services/async/async.h"
#include "services/store/job_store.h"

namespace fermata {

class SlowStore final : public JobStore {
 public:
  explicit SlowStore(JobStore& inner) : inner_(inner) {}

  absl::Duration latency = absl::ZeroDuration();  // of a commit
  int fail_next = 0;                              // so many commits fail
  bool failing = false;                           // every commit fails
  size_t result_max = size_t{1} << 30;            // of a record; more is refused for good
  std::vector<JobView> committed;                 // in order, when `recording`
  bool recording = false;
  bool durable = false;
  absl::Duration read_latency = absl::ZeroDuration();  // before and after the moment that is read
  bool failing_reads = false;
  bool failing_finds = false;  // of a request id
  int reads = 0;               // of what waits

  Co<absl::Status> commit(std::vector<JobView> batch) override {
    // A commit is not interrupted: shielded, as a real one would be.
    if (latency > absl::ZeroDuration()) co_await shield(sleep(latency));
    if (failing || fail_next > 0) {
      if (fail_next > 0) --fail_next;
      co_return absl::ResourceExhaustedError("the disk is full");
    }
    for (const JobView& record : batch) {
      const bool fits = record->result == nullptr || record->result->size() <= result_max;
      if (!fits) co_return absl::OutOfRangeError("the record is too large");
    }
    if (recording) committed.insert(committed.end(), batch.begin(), batch.end());
    co_return co_await inner_.commit(std::move(batch));
  }
  Co<absl::StatusOr<JobView>> get(std::string id) override {
    co_await read();
    absl::StatusOr<JobView> job = co_await inner_.get(std::move(id));
    co_await read();
    co_return job;
  }
  Co<absl::StatusOr<JobView>> find_request(std::string request_id) override {
    co_await read();
    if (failing_finds) co_return absl::UnavailableError("the disk failed");
    absl::StatusOr<JobView> job = co_await inner_.find_request(std::move(request_id));
    co_await read();
    co_return job;
  }
  Co<absl::StatusOr<JobPage>> list_finished(JobFilter filter, std::string before,
                                            size_t limit) override {
    co_await read();
    absl::StatusOr<JobPage> page =
        co_await inner_.list_finished(std::move(filter), std::move(before), limit);
    co_await read();
    co_return page;
  }
  Co<absl::StatusOr<JobPage>> list_unfinished(JobFilter filter, std::string before,
                                              size_t limit) override {
    return inner_.list_unfinished(std::move(filter), std::move(before), limit);
  }
  Co<absl::StatusOr<std::vector<StoredLane>>> lanes() override { return inner_.lanes(); }
  Co<absl::StatusOr<LanePage>> lane(std::string queue, std::optional<LanePlace> from, size_t limit,
                                    size_t bytes) override {
    ++reads;
    co_await read();
    if (failing_reads) co_return absl::UnavailableError("the disk failed");
    absl::StatusOr<LanePage> page =
        co_await inner_.lane(std::move(queue), std::move(from), limit, bytes);
    co_await read();
    co_return page;
  }
  Co<absl::StatusOr<DuePage>> due(absl::Time until, DuePlace after, size_t limit) override {
    co_await read();
    if (failing_reads) co_return absl::UnavailableError("the disk failed");
    absl::StatusOr<DuePage> page = co_await inner_.due(until, std::move(after), limit);
    co_await read();
    co_return page;
  }
  Co<absl::Status> remove(std::string id) override { return inner_.remove(std::move(id)); }
  bool keeps(const JobSpec& spec) const override { return durable || inner_.keeps(spec); }
  std::string newest_id() const override { return inner_.newest_id(); }
  int64_t sequence_floor() const override { return inner_.sequence_floor(); }
  StoreStats stats() const override { return inner_.stats(); }

 private:
  Co<void> read() {
    if (read_latency > absl::ZeroDuration()) co_await sleep(read_latency);
  }

  JobStore& inner_;
};

}  // namespace fermata
