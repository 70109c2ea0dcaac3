#include "tests/simulation/model_disk.h"

#include <utility>

#include "services/async/shield.h"
#include "services/async/sleep.h"
#include "services/config/str_cat.h"
#include "services/store/record_codec.h"
#include "services/store/sequence_floor.h"

namespace fermata::simulation {

std::unique_ptr<LifeStore> ModelDisk::store(SimLoop& loop, const Clock& clock,
                                            const StoreFaults& faults) {
  dead_ = false;
  sequence_floor_ = next_sequence_floor(sequence_floor_, clock.now());
  auto store = std::make_unique<Store>(*this, loop, clock, faults);
  store_ = store.get();
  return store;
}

void ModelDisk::crash() {
  if (store_ != nullptr) store_->crash();
  dead_ = true;
}

std::map<std::string, JobView> ModelDisk::read(std::vector<std::string>& wrong) {
  std::map<std::string, JobView> stored;
  for (const auto& [id, row] : rows_) {
    absl::StatusOr<JobView> record = decode_record(row.bytes);
    if (record.ok()) {
      stored[id] = *std::move(record);
    } else {
      wrong.push_back(str_cat(id, ": ", record.status().ToString()));
    }
  }
  return stored;
}

void ModelDisk::write(const Batch& batch) {
  if (dead_) return;
  for (const auto& [id, row] : batch) {
    if (row.bytes.empty()) {
      rows_.erase(id);
      continue;
    }
    // The rule of the contract, whatever the order that commits end in.
    Row& there = rows_[id];
    if (!there.finished && row.sequence > there.sequence) there = row;
  }
}

Co<absl::Status> ModelDisk::Store::open() {
  std::vector<JobView> all;
  for (const auto& [id, row] : disk_.rows_) {
    absl::StatusOr<JobView> record = decode_record(row.bytes);
    if (!record.ok()) co_return record.status();
    all.push_back(*std::move(record));
  }
  co_return co_await memory_.commit(std::move(all));
}

void ModelDisk::Store::crash() {
  for (const auto& [number, batch] : under_way_) {
    if (happens(50)) disk_.write(batch);
  }
}

Co<void> ModelDisk::Store::take_time() {
  const uint64_t most = static_cast<uint64_t>(absl::ToInt64Nanoseconds(faults_.slowest));
  co_await sleep(absl::Nanoseconds(loop_.random(most + 1)));
}

absl::Status ModelDisk::Store::refuse(const std::vector<JobView>& batch, absl::Status why) {
  disk_.note_refused(batch);
  return why;
}

Co<absl::Status> ModelDisk::Store::commit(std::vector<JobView> batch) {
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
    if (happens(50)) disk_.write(written);
    stopped_ = true;
    co_return refuse(batch, absl::UnavailableError("the sync failed"));
  }
  disk_.write(written);
  co_return co_await memory_.commit(std::move(batch));
}

Co<absl::Status> ModelDisk::Store::ask() {
  co_await take_time();
  if (happens(faults_.failed_read_percent)) co_return absl::UnavailableError("the read failed");
  co_return absl::OkStatus();
}

Co<absl::StatusOr<JobView>> ModelDisk::Store::get(std::string id) {
  co_await take_time();
  absl::StatusOr<JobView> job = co_await memory_.get(std::move(id));
  co_await take_time();
  co_return job;
}

Co<absl::StatusOr<LanePage>> ModelDisk::Store::lane(std::string queue,
                                                    std::optional<LanePlace> from, size_t limit,
                                                    size_t bytes) {
  absl::Status asked = co_await ask();
  if (!asked.ok()) co_return asked;
  absl::StatusOr<LanePage> page =
      co_await memory_.lane(std::move(queue), std::move(from), limit, bytes);
  co_await take_time();
  co_return page;
}

Co<absl::StatusOr<DuePage>> ModelDisk::Store::due(absl::Time until, DuePlace after, size_t limit) {
  absl::Status asked = co_await ask();
  if (!asked.ok()) co_return asked;
  absl::StatusOr<DuePage> page = co_await memory_.due(until, std::move(after), limit);
  co_await take_time();
  co_return page;
}

Co<absl::Status> ModelDisk::Store::remove(std::string id) {
  if (stopped_) co_return absl::UnavailableError("the disk failed; open the store again");
  absl::Status removed = co_await memory_.remove(id);
  if (!removed.ok()) co_return removed;
  const uint64_t number = next_write_++;
  under_way_[number][id] = Row();
  co_await shield(take_time());
  const Batch written = std::move(under_way_[number]);
  under_way_.erase(number);
  disk_.write(written);
  co_return absl::OkStatus();
}

std::string ModelDisk::Store::newest_id() const {
  return disk_.rows_.empty() ? "" : disk_.rows_.rbegin()->first;
}

}  // namespace fermata::simulation
