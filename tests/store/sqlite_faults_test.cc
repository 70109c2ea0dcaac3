// What the disk may do to a store: every test says what the store must still be able to promise.
#include <map>
#include <random>

#include "tests/store/sqlite_harness.h"

namespace fermata {
namespace {

using enum JobState;

constexpr size_t kMuch = size_t{1} << 30;
// More than what the files have to spare.
const std::string kLarge(300000, 'a');

// What the store said is there: the sequence it acknowledged, by number of job.
struct Ledger {
  std::map<int, int64_t> acknowledged;
};

// Jobs begin, move and end, a few at a time, until the disk says no.
Co<absl::Status> work(SqliteStore& store, Ledger* ledger) {
  for (int n = 1; n <= 5; ++n) {
    for (int64_t sequence = 1; sequence <= 3; ++sequence) {
      std::vector<JobView> batch;
      for (const int job : {n, n + 100}) {
        const JobState state = sequence == 3 && job != 4 ? kSucceeded : kRunning;
        batch.push_back(make_record(job, state, sequence, std::string(3000, 'a')));
      }
      absl::Status stored = co_await store.commit(std::move(batch));
      if (!stored.ok()) co_return absl::OkStatus();
      ledger->acknowledged[n] = ledger->acknowledged[n + 100] = sequence;
    }
  }
  co_return absl::OkStatus();
}

// Everything that was acknowledged is there, at least as far as it was acknowledged, and the counts
// are those of what is there. Says how many jobs are missing.
Co<absl::Status> look(SqliteStore& store, const Ledger* ledger, int* lost) {
  for (const auto& [n, sequence] : ledger->acknowledged) {
    absl::StatusOr<JobView> got = co_await store.get(id_of(n));
    if (!got.ok() || (*got)->sequence < sequence) ++*lost;
  }
  LanePage live = co_await Try(store.lane("default", std::nullopt, 1000, kMuch));
  EXPECT_EQ(live.jobs.size(), store.stats().live);
  std::vector<StoredLane> lanes = co_await Try(store.lanes());
  EXPECT_EQ(lanes.empty() ? 0 : lanes.at(0).jobs, live.jobs.size());
  JobPage page = co_await Try(store.list_finished(JobFilter(), "", 1000));
  EXPECT_EQ(page.jobs.size(), store.stats().finished);
  // A batch is there whole or not at all.
  for (int n = 1; n <= 5; ++n) {
    absl::StatusOr<JobView> one = co_await store.get(id_of(n));
    absl::StatusOr<JobView> other = co_await store.get(id_of(n + 100));
    EXPECT_EQ(one.ok(), other.ok()) << n;
    if (one.ok() && other.ok()) {
      EXPECT_EQ((*one)->sequence, (*other)->sequence) << n;
    }
  }
  co_return absl::OkStatus();
}

// Crashes at the given operation; how many acknowledged jobs were lost. `lying`: so are the syncs.
int lost_after_crash(uint64_t operation, Crash crash, uint64_t seed, bool lying) {
  FaultDisk disk(seed);
  Ledger ledger;
  // The store is made while all is well.
  absl::Status status =
      play_on(on_disk(disk), [](SqliteStore&) -> Co<absl::Status> { co_return absl::OkStatus(); });
  EXPECT_TRUE(status.ok()) << status;
  disk.lie_about_syncs(lying);
  disk.crash_at(disk.operations() + operation);
  (void)play_on(on_disk(disk), [&](SqliteStore& store) { return work(store, &ledger); });
  disk.restart(crash);
  disk.lie_about_syncs(false);
  int lost = 0;
  status = play_on(on_disk(disk), [&](SqliteStore& store) { return look(store, &ledger, &lost); });
  if (!status.ok() && lying) return 1;  // it may not even be a database any more
  EXPECT_TRUE(status.ok()) << status;
  return lost;
}

uint64_t operations_of_work() {
  FaultDisk disk;
  Ledger ledger;
  const absl::Status status =
      play_on(on_disk(disk), [&](SqliteStore& store) { return work(store, &ledger); });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(ledger.acknowledged.size(), 10u);
  return disk.operations();
}

TEST(SqliteFaults, KilledAtEveryOperationNothingAcknowledgedIsLost) {
  const uint64_t operations = operations_of_work();
  ASSERT_GT(operations, 50u);
  for (uint64_t at = 0; at < operations; ++at) {
    ASSERT_EQ(lost_after_crash(at, Crash::kProcess, at, false), 0) << "at operation " << at;
  }
}

TEST(SqliteFaults, WithoutPowerAtEveryOperationNothingAcknowledgedIsLost) {
  const uint64_t operations = operations_of_work();
  for (uint64_t at = 0; at < operations; ++at) {
    ASSERT_EQ(lost_after_crash(at, Crash::kPower, at, false), 0) << "at operation " << at;
  }
}

TEST(SqliteFaults, TheRigFindsADiskThatLies) {
  int lost = 0;
  for (uint64_t seed = 0; seed < 20; ++seed)
    lost += lost_after_crash(45, Crash::kPower, seed, true);
  EXPECT_GT(lost, 0);
}

Co<absl::Status> fills_the_disk(SqliteStore& store, FaultDisk& disk) {
  co_await Try(put(store, make_record(1, kSucceeded)));
  disk.set_capacity(disk.bytes());
  absl::Status full = co_await put(store, make_record(2, kPending, 1, kLarge));
  EXPECT_TRUE(absl::IsResourceExhausted(full)) << full;
  EXPECT_EQ(store.stats().health, StoreHealth::kRefusing);
  EXPECT_EQ(store.stats().live, 0u);
  JobView first = co_await Try(store.get(id_of(1)));
  absl::StatusOr<JobView> second = co_await store.get(id_of(2));
  EXPECT_TRUE(absl::IsNotFound(second.status())) << second.status();
  disk.set_capacity(uint64_t{1} << 30);
  co_await Try(put(store, make_record(2, kPending, 1, kLarge)));
  EXPECT_EQ(store.stats().health, StoreHealth::kOk);
  second = co_await store.get(id_of(2));
  EXPECT_TRUE(second.ok()) << second.status();
  co_return absl::OkStatus();
}

TEST(SqliteFaults, AFullDiskRefusesNewWorkKeepsAnsweringAndRecoversByItself) {
  FaultDisk disk;
  const absl::Status status =
      play_on(on_disk(disk), [&](SqliteStore& store) { return fills_the_disk(store, disk); });
  EXPECT_TRUE(status.ok()) << status;
}

TEST(SqliteFaults, AFileAsLargeAsItMayBeIsAFullDisk) {
  FaultDisk disk;
  SqliteOptions options = on_disk(disk);
  options.bytes_max = uint64_t{1} << 20;
  const absl::Status status = play_on(options, [](SqliteStore& store) -> Co<absl::Status> {
    absl::Status stored;
    int n = 0;
    while (stored.ok() && n < 1000) {
      stored = co_await put(store, make_record(++n, kPending, 1, std::string(10000, 'a')));
    }
    EXPECT_TRUE(absl::IsResourceExhausted(stored)) << stored;
    EXPECT_GT(n, 50);
    // Ending and removing jobs makes room again.
    co_await Try(put(store, make_record(1, kSucceeded, 2, "{}")));
    co_return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
}

Co<absl::Status> waits_for_space(SqliteStore& store, FaultDisk& disk) {
  disk.set_capacity(disk.bytes());
  co_await Try(put(store, make_record(1, kPending, 1, kLarge)));
  co_await sleep(absl::Seconds(5));
  EXPECT_EQ(store.stats().health, StoreHealth::kRefusing);
  EXPECT_EQ(store.stats().unwritten, 1u);
  disk.set_capacity(uint64_t{1} << 30);
  co_await sleep(absl::Seconds(5));
  EXPECT_EQ(store.stats().health, StoreHealth::kOk);
  EXPECT_EQ(store.stats().unwritten, 0u);
  co_return absl::OkStatus();
}

TEST(SqliteFaults, RelaxedJobsThatFoundNoSpaceAreWrittenWhenThereIsSome) {
  FaultDisk disk;
  SqliteOptions options = on_disk(disk);
  options.durability.otherwise = Durability::kRelaxed;
  const absl::Status status =
      play_on(options, [&](SqliteStore& store) { return waits_for_space(store, disk); });
  EXPECT_TRUE(status.ok()) << status;
}

Co<absl::Status> sees_a_sync_fail(SqliteStore& store, FaultDisk& disk) {
  co_await Try(put(store, make_record(1, kPending)));
  disk.fail_syncs(true);
  absl::Status failed = co_await put(store, make_record(2, kPending));
  EXPECT_TRUE(absl::IsUnavailable(failed)) << failed;
  EXPECT_EQ(store.stats().health, StoreHealth::kStopped);
  // The disk pretends to be well again; nobody believes it.
  disk.fail_syncs(false);
  const uint64_t operations = disk.operations();
  absl::Status refused = co_await put(store, make_record(3, kPending));
  EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
  EXPECT_NE(refused.message().find("restart the server"), absl::string_view::npos) << refused;
  EXPECT_EQ(disk.operations(), operations);
  JobView first = co_await Try(store.get(id_of(1)));
  co_return absl::OkStatus();
}

TEST(SqliteFaults, AfterAFailedSyncNothingIsWrittenAnyMoreAndReadsGoOn) {
  FaultDisk disk;
  absl::Status status =
      play_on(on_disk(disk), [&](SqliteStore& store) { return sees_a_sync_fail(store, disk); });
  EXPECT_TRUE(status.ok()) << status;
  status = play_on(on_disk(disk), [](SqliteStore& store) -> Co<absl::Status> {
    JobView first = co_await Try(store.get(id_of(1)));
    co_await Try(put(store, make_record(3, kPending)));
    co_return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
}

Co<absl::Status> sees_a_write_fail(SqliteStore& store, FaultDisk& disk) {
  disk.fail_writes(true);
  auto [one, two] = co_await gather_settled(put(store, make_record(1, kPending)),
                                            put(store, make_record(2, kPending)));
  EXPECT_TRUE(absl::IsUnavailable(one.status())) << one.status();
  EXPECT_TRUE(absl::IsUnavailable(two.status())) << two.status();
  absl::Status removed = co_await store.remove(id_of(1));
  EXPECT_TRUE(absl::IsUnavailable(removed)) << removed;
  co_return absl::OkStatus();
}

TEST(SqliteFaults, AFailedWriteStopsItTooAndEveryCallerIsTold) {
  FaultDisk disk;
  const absl::Status status =
      play_on(on_disk(disk), [&](SqliteStore& store) { return sees_a_write_fail(store, disk); });
  EXPECT_TRUE(status.ok()) << status;
}

// Where the record of job n is in the file.
size_t place_of(const std::string& file, int n) { return file.find(id_of(n)); }

TEST(SqliteFaults, ADamagedRecordIsNamedAndNeverGivenOut) {
  FaultDisk disk;
  absl::Status status = play_on(on_disk(disk), [](SqliteStore& store) -> Co<absl::Status> {
    for (int n = 1; n <= 3; ++n) co_await Try(put(store, make_record(n, kSucceeded)));
    for (int n = 4; n <= 6; ++n) co_await Try(put(store, make_record(n, kPending)));
    co_return absl::OkStatus();
  });
  ASSERT_TRUE(status.ok()) << status;
  std::string& file = disk.content("disk/jobs.db");
  for (const int n : {2, 5}) {
    ASSERT_NE(place_of(file, n), std::string::npos);
    file[place_of(file, n) + 40] ^= 1;
  }
  status = play_on(on_disk(disk), [](SqliteStore& store) -> Co<absl::Status> {
    absl::StatusOr<JobView> damaged = co_await store.get(id_of(2));
    EXPECT_TRUE(absl::IsDataLoss(damaged.status())) << damaged.status();
    EXPECT_NE(damaged.status().message().find(id_of(2)), absl::string_view::npos);
    JobPage page = co_await Try(store.list_finished(JobFilter(), "", 10));
    EXPECT_EQ(numbers_of(page), "3 1 ");
    LanePage live = co_await Try(store.lane("default", std::nullopt, 2, kMuch));
    EXPECT_EQ(numbers_of(live.jobs), "4 6 ");
    EXPECT_EQ(store.stats().damaged, 3u);
    EXPECT_NE(store.stats().problem, "");
    co_return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
}

Co<absl::Status> asks_for_all(SqliteStore& store, const Ledger& ledger, int& refused) {
  for (const auto& [n, sequence] : ledger.acknowledged) {
    absl::StatusOr<JobView> got = co_await store.get(id_of(n));
    if (!got.ok()) {
      ++refused;
      continue;
    }
    EXPECT_EQ((*got)->id(), id_of(n));
    EXPECT_EQ((*got)->spec->input, std::string(3000, 'a'));
  }
  absl::StatusOr<LanePage> live = co_await store.lane("default", std::nullopt, 100, 1000000);
  absl::StatusOr<JobPage> page = co_await store.list_finished(JobFilter(), "", 100);
  absl::Status stored = co_await put(store, make_record(500, kPending));
  refused += !live.ok() + !page.ok() + !stored.ok();
  co_return absl::OkStatus();
}

// Whatever is done to the file, the store answers with a job as it was stored, or with an error.
TEST(SqliteFaults, NoDamageToTheFileIsServedOrCrashesTheServer) {
  FaultDisk disk;
  Ledger ledger;
  ASSERT_TRUE(play_on(on_disk(disk), [&](SqliteStore& s) { return work(s, &ledger); }).ok());
  const std::string good = disk.content("disk/jobs.db");
  int refused = 0;
  for (uint64_t seed = 0; seed < 150; ++seed) {
    std::mt19937_64 random(seed);
    std::string& file = disk.content("disk/jobs.db");
    file = good;
    if (seed % 5 == 0) file.resize(random() % good.size());
    for (uint64_t flips = random() % 40; flips > 0 && !file.empty(); --flips) {
      file[random() % file.size()] ^= static_cast<char>(1 << (random() % 8));
    }
    const absl::Status status = play_on(
        on_disk(disk), [&](SqliteStore& store) { return asks_for_all(store, ledger, refused); });
    refused += !status.ok();
    disk.content("disk/jobs.db-wal").clear();
  }
  EXPECT_GT(refused, 50);
}

}  // namespace
}  // namespace fermata
