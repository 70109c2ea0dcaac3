#include "tests/simulation/sqlite_disk.h"

#include <utility>

#include "services/async/shield.h"
#include "services/async/sleep.h"
#include "services/config/str_cat.h"

namespace fermata::simulation {
namespace {

constexpr size_t kPage = 1000;
constexpr uint64_t kRoomy = uint64_t{1} << 40;

using Jobs = std::map<std::string, JobView>;

Co<absl::Status> read_all(SqliteStore& store, Jobs& jobs) {
  std::string before;
  do {
    absl::StatusOr<JobPage> page = co_await store.list_unfinished(JobFilter(), before, kPage);
    if (!page.ok()) co_return page.status();
    for (const JobView& job : page->jobs) jobs[job->id()] = job;
    before = page->next_page_token;
  } while (!before.empty());
  do {
    absl::StatusOr<JobPage> page = co_await store.list_finished(JobFilter(), before, kPage);
    if (!page.ok()) co_return page.status();
    for (const JobView& job : page->jobs) jobs[job->id()] = job;
    before = page->next_page_token;
  } while (!before.empty());
  co_return absl::OkStatus();
}

Co<absl::Status> read_and_close(SqliteStore& store, Jobs& jobs) {
  absl::Status read = co_await read_all(store, jobs);
  co_await store.close();
  co_return read;
}

}  // namespace

SqliteOptions SqliteDisk::options() const {
  SqliteOptions options;
  options.directory = "disk";
  options.vfs = disk_.vfs();
  options.own_thread = false;
  options.retention = keep_all();
  return options;
}

void SqliteDisk::restart() {
  disk_.restart(random_() % 2 == 0 ? Crash::kPower : Crash::kProcess);
  disk_.set_capacity(kRoomy);
  disk_.fail_syncs(false);
  disk_.lie_about_syncs(false);
  killed_ = false;
}

void SqliteDisk::crash() {
  killed_ = true;
  disk_.crash_at(disk_.operations());
}

std::unique_ptr<LifeStore> SqliteDisk::store(SimLoop& loop, const Clock& clock,
                                             const StoreFaults& faults) {
  restart();
  disk_.lie_about_syncs(faults.lies);
  return std::make_unique<Store>(*this, loop, clock, faults);
}

Jobs SqliteDisk::read(std::vector<std::string>& wrong) {
  restart();
  SimLoop loop;
  const LoopClock clock(loop);
  Jobs jobs;
  absl::StatusOr<std::unique_ptr<SqliteStore>> store = SqliteStore::open(loop, clock, options());
  absl::Status read = store.status();
  if (store.ok()) read = loop.run(&read_and_close, std::ref(**store), std::ref(jobs));
  if (!read.ok()) wrong.push_back(str_cat("the store at the end: ", read.ToString()));
  if (store.ok() && (*store)->stats().damaged > 0) {
    wrong.push_back(str_cat("the store has damage: ", (*store)->stats().problem));
  }
  return jobs;
}

Co<absl::Status> SqliteDisk::Store::open() {
  if (disk_.die_within_ != kNever) {
    disk_.disk_.crash_at(disk_.disk_.operations() + disk_.random_() % disk_.die_within_);
    disk_.die_within_ = kNever;
  }
  disk_.disk_.set_capacity(kRoomy);  // as one makes room before one starts a server again
  absl::StatusOr<std::unique_ptr<SqliteStore>> opened =
      SqliteStore::open(loop_, clock_, disk_.options());
  if (!opened.ok()) co_return opened.status();
  inner_ = *std::move(opened);
  co_return absl::OkStatus();
}

Co<void> SqliteDisk::Store::take_time() {
  const uint64_t most = static_cast<uint64_t>(absl::ToInt64Nanoseconds(faults_.slowest));
  co_await sleep(absl::Nanoseconds(loop_.random(most + 1)));
}

Co<absl::Status> SqliteDisk::Store::commit(std::vector<JobView> batch) {
  co_await shield(take_time());
  FaultDisk& disk = disk_.disk_;
  disk.set_capacity(happens(faults_.no_space_percent) ? disk.bytes() : kRoomy);
  if (happens(faults_.failed_sync_percent)) disk.fail_syncs(true);
  absl::Status stored = co_await inner_->commit(batch);
  // What a dead process is told is nobody's excuse.
  if (!stored.ok() && !disk_.dead()) disk_.note_refused(batch);
  co_return stored;
}

Co<absl::Status> SqliteDisk::Store::ask() {
  co_await take_time();
  if (happens(faults_.failed_read_percent)) co_return absl::UnavailableError("the read failed");
  co_return absl::OkStatus();
}

Co<absl::StatusOr<LanePage>> SqliteDisk::Store::lane(std::string queue,
                                                     std::optional<LanePlace> from, size_t limit,
                                                     size_t bytes) {
  absl::Status asked = co_await ask();
  if (!asked.ok()) co_return asked;
  co_return co_await inner_->lane(std::move(queue), std::move(from), limit, bytes);
}

Co<absl::StatusOr<DuePage>> SqliteDisk::Store::due(absl::Time until, DuePlace after, size_t limit) {
  absl::Status asked = co_await ask();
  if (!asked.ok()) co_return asked;
  co_return co_await inner_->due(until, std::move(after), limit);
}

Co<void> SqliteDisk::Store::close() {
  if (inner_ != nullptr) co_await inner_->close();
}

}  // namespace fermata::simulation
