#include "tests/simulation/sim_store.h"

#include <utility>

#include "services/async/shield.h"
#include "services/async/sleep.h"
#include "services/config/str_cat.h"
#include "services/store/record_codec.h"

namespace fermata::simulation {
namespace {

// Nothing goes in a simulation but by being removed.
Retention keep_all() {
  Retention all;
  all.jobs = 1000000;
  all.bytes = size_t{1} << 40;
  all.age = absl::InfiniteDuration();
  return all;
}

}  // namespace

SimStore::SimStore(SimLoop& loop, const Clock& clock, SimDisk& disk, const StoreFaults& faults)
    : loop_(loop), disk_(disk), faults_(faults), memory_(clock, keep_all()) {}

Co<absl::Status> SimStore::open() {
  std::vector<JobView> all;
  for (const auto& [id, row] : disk_.rows) {
    absl::StatusOr<JobView> record = decode_record(row.bytes);
    if (!record.ok()) co_return record.status();
    all.push_back(*std::move(record));
  }
  co_return co_await memory_.commit(std::move(all));
}

void SimStore::crash() {
  for (const auto& [number, batch] : under_way_) {
    if (happens(50)) write(batch);
  }
  disk_.open = false;
}

Co<void> SimStore::take_time() {
  const uint64_t most = static_cast<uint64_t>(absl::ToInt64Nanoseconds(faults_.slowest));
  co_await sleep(absl::Nanoseconds(loop_.random(most + 1)));
}

void SimStore::write(const Batch& batch) {
  if (!disk_.open) return;
  for (const auto& [id, row] : batch) {
    if (row.bytes.empty()) {
      disk_.rows.erase(id);
      continue;
    }
    // The rule of the contract, whatever the order that commits end in.
    SimDisk::Row& there = disk_.rows[id];
    if (!there.finished && row.sequence > there.sequence) there = row;
  }
}

absl::Status SimStore::refuse(const std::vector<JobView>& batch, absl::Status why) {
  for (const JobView& record : batch) disk_.refused.insert(record->spec->request_id);
  return why;
}

Co<absl::Status> SimStore::commit(std::vector<JobView> batch) {
  if (stopped_) co_return refuse(batch, absl::UnavailableError("the disk failed"));
  Batch bytes;
  for (const JobView& record : batch) {
    bytes[record->id()] = {record->sequence, record->finished(), encode_record(*record)};
  }
  if (faults_.lies) co_return co_await memory_.commit(std::move(batch));
  const uint64_t number = next_write_++;
  under_way_[number] = std::move(bytes);
  co_await shield(take_time());
  const Batch written = std::move(under_way_[number]);
  under_way_.erase(number);
  if (stopped_) co_return refuse(batch, absl::UnavailableError("the disk failed"));
  if (happens(faults_.no_space_percent)) {
    co_return refuse(batch, absl::ResourceExhaustedError("no space left"));
  }
  if (happens(faults_.failed_sync_percent)) {
    if (happens(50)) write(written);
    stopped_ = true;
    co_return refuse(batch, absl::UnavailableError("the sync failed"));
  }
  write(written);
  co_return co_await memory_.commit(std::move(batch));
}

Co<absl::Status> SimStore::ask() {
  co_await take_time();
  if (happens(faults_.failed_read_percent)) co_return absl::UnavailableError("the read failed");
  co_return absl::OkStatus();
}

Co<absl::StatusOr<JobView>> SimStore::get(std::string id) {
  co_await take_time();
  absl::StatusOr<JobView> job = co_await memory_.get(std::move(id));
  co_await take_time();
  co_return job;
}

Co<absl::StatusOr<LanePage>> SimStore::lane(std::string queue, std::optional<LanePlace> from,
                                            size_t limit, size_t bytes) {
  absl::Status asked = co_await ask();
  if (!asked.ok()) co_return asked;
  absl::StatusOr<LanePage> page =
      co_await memory_.lane(std::move(queue), std::move(from), limit, bytes);
  co_await take_time();
  co_return page;
}

Co<absl::StatusOr<DuePage>> SimStore::due(absl::Time until, DuePlace after, size_t limit) {
  absl::Status asked = co_await ask();
  if (!asked.ok()) co_return asked;
  absl::StatusOr<DuePage> page = co_await memory_.due(until, std::move(after), limit);
  co_await take_time();
  co_return page;
}

Co<absl::Status> SimStore::remove(std::string id) {
  if (stopped_) co_return absl::UnavailableError("the disk failed; open the store again");
  absl::Status removed = co_await memory_.remove(id);
  if (!removed.ok()) co_return removed;
  const uint64_t number = next_write_++;
  under_way_[number][id] = SimDisk::Row();
  co_await shield(take_time());
  const Batch written = std::move(under_way_[number]);
  under_way_.erase(number);
  write(written);
  co_return absl::OkStatus();
}

std::string SimStore::newest_id() const {
  return disk_.rows.empty() ? "" : disk_.rows.rbegin()->first;
}

}  // namespace fermata::simulation
