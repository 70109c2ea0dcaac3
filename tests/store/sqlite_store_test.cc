#include "services/store/sqlite/sqlite_store.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "services/async/epoll_loop.h"
#include "tests/store/job_store_contract.h"
#include "tests/store/sqlite_harness.h"

namespace fermata {
namespace {

using enum JobState;

std::unique_ptr<JobStore> make_sqlite_store(Loop& loop, const Clock& clock,
                                            const Retention& retention) {
  // A store is closed before the next one is made.
  static std::unique_ptr<FaultDisk> disk;
  disk = std::make_unique<FaultDisk>();
  SqliteOptions options = on_disk(*disk);
  options.retention = retention;
  absl::StatusOr<std::unique_ptr<SqliteStore>> store = SqliteStore::open(loop, clock, options);
  EXPECT_TRUE(store.ok()) << store.status();
  return *std::move(store);
}
INSTANTIATE_TEST_SUITE_P(Sqlite, JobStoreContract, testing::Values(&make_sqlite_store));

class Folder {
 public:
  Folder() {
    std::string name = testing::TempDir() + "storeXXXXXX";
    path_ = mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

Co<absl::Status> fill(SqliteStore& store) {
  for (int n = 1; n <= 20; ++n) {
    const JobState state = n % 3 == 0 ? kSucceeded : kRunning;
    co_await Try(put(store, make_record(n, state)));
  }
  co_return absl::OkStatus();
}

Co<absl::Status> is_filled(SqliteStore& store) {
  EXPECT_EQ(store.stats().live, 14u);
  EXPECT_EQ(store.stats().finished, 6u);
  std::string live = co_await Try(waiting(store));
  EXPECT_EQ(live, "1 2 4 5 7 8 10 11 13 14 16 17 19 20 ");
  JobPage page = co_await Try(store.list_finished(JobFilter(), "", 100));
  EXPECT_EQ(numbers_of(page), "18 15 12 9 6 3 ");
  co_return absl::OkStatus();
}

TEST(SqliteStore, OnARealDiskWithItsOwnThreadIsThereAgainAfterItWasClosed) {
  const Folder folder;
  SqliteOptions options;
  options.directory = folder.path() + "/deep/store";
  for (auto scenario : {&fill, &is_filled}) {
    EpollLoop loop;
    LoopClock clock(loop);
    absl::StatusOr<std::unique_ptr<SqliteStore>> store = SqliteStore::open(loop, clock, options);
    ASSERT_TRUE(store.ok()) << store.status();
    EXPECT_EQ((*store)->newest_id(), scenario == &fill ? "" : id_of(20));
    const auto play = [](Co<absl::Status> (*scenario)(SqliteStore&),
                         SqliteStore& store) -> Co<absl::Status> {
      absl::Status status = co_await scenario(store);
      co_await store.close();
      co_return status;
    };
    const absl::Status status = loop.run(play, scenario, std::ref(**store));
    EXPECT_TRUE(status.ok()) << status;
  }
}

// ---- where the events of a life begin to count ------------------------------------------------

int64_t floor_when_opened(FaultDisk& disk, absl::Duration clock_says) {
  SimLoop loop;
  LoopClock clock(loop);
  int64_t floor = 0;
  const auto open = [](FaultDisk* disk, Clock* clock, absl::Duration start,
                       int64_t* floor) -> Co<absl::Status> {
    co_await sleep(start);
    absl::StatusOr<std::unique_ptr<SqliteStore>> store =
        SqliteStore::open(Loop::current(), *clock, on_disk(*disk));
    if (!store.ok()) co_return store.status();
    *floor = (*store)->sequence_floor();
    co_await (*store)->close();
    co_return absl::OkStatus();
  };
  const absl::Status status = loop.run(open, &disk, &clock, clock_says, &floor);
  EXPECT_TRUE(status.ok()) << status;
  return floor;
}

TEST(SqliteStore, EachLifeCountsFromAboveTheOnesBeforeThoughTheClockWasSetBack) {
  FaultDisk disk;
  int64_t last = 0;
  for (const absl::Duration clock :
       {absl::Hours(50), absl::Hours(51), absl::Hours(1), absl::Minutes(1), absl::Hours(80)}) {
    const int64_t floor = floor_when_opened(disk, clock);
    EXPECT_GT(floor, last + 1'000'000'000) << clock;
    EXPECT_LT(floor, int64_t{1} << 53);
    last = floor;
    disk.restart(Crash::kPower);
  }
}

TEST(SqliteStore, AFileOfTheVersionBeforeIsTakenOver) {
  FaultDisk disk;
  ASSERT_TRUE(play_on(on_disk(disk), &fill).ok());
  {
    const auto connection = Connection::open({"disk/jobs.db", disk.vfs(), true});
    ASSERT_TRUE(connection.ok()) << connection.status();
    ASSERT_TRUE(sqlite_run(connection->db(),
                           "ALTER TABLE counts DROP COLUMN sequence_floor;PRAGMA user_version=1")
                    .ok());
  }
  EXPECT_GT(floor_when_opened(disk, absl::ZeroDuration()), 0);
  const absl::Status status = play_on(on_disk(disk), &is_filled);
  EXPECT_TRUE(status.ok()) << status;
}

TEST(SqliteStore, AFullDiskIsOpened) {
  FaultDisk disk;
  ASSERT_TRUE(play_on(on_disk(disk), &fill).ok());
  disk.set_capacity(disk.bytes());
  EXPECT_GT(floor_when_opened(disk, absl::ZeroDuration()), 0);
  const absl::Status status = play_on(on_disk(disk), &is_filled);
  EXPECT_TRUE(status.ok()) << status;
}

TEST(SqliteStore, ASecondOwnerOfTheDirectoryIsRefused) {
  const Folder folder;
  SqliteOptions options;
  options.directory = folder.path();
  SimLoop loop;
  LoopClock clock(loop);
  {
    const auto first = SqliteStore::open(loop, clock, options);
    ASSERT_TRUE(first.ok()) << first.status();
    const absl::Status second = SqliteStore::open(loop, clock, options).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(second)) << second;
    EXPECT_NE(second.message().find("another process owns"), absl::string_view::npos) << second;
  }
  EXPECT_TRUE(SqliteStore::open(loop, clock, options).ok());
}

TEST(SqliteStore, AFileThatIsGoneIsALossAndNotANewBeginning) {
  const Folder folder;
  SqliteOptions options;
  options.directory = folder.path();
  SimLoop loop;
  LoopClock clock(loop);
  ASSERT_TRUE(SqliteStore::open(loop, clock, options).ok());
  for (const bool emptied : {false, true}) {
    std::filesystem::remove(folder.path() + "/jobs.db");
    if (emptied) std::ofstream(folder.path() + "/jobs.db");
    const absl::Status refused = SqliteStore::open(loop, clock, options).status();
    EXPECT_TRUE(absl::IsDataLoss(refused)) << refused;
  }
  std::filesystem::remove(folder.path() + "/owner");
  EXPECT_TRUE(SqliteStore::open(loop, clock, options).ok());
}

TEST(SqliteStore, ANewerSchemaAndAForeignFileAreRefusedByName) {
  FaultDisk disk;
  ASSERT_TRUE(play_on(on_disk(disk), &fill).ok());
  {
    const auto connection = Connection::open({"disk/jobs.db", disk.vfs(), true});
    ASSERT_TRUE(connection.ok()) << connection.status();
    ASSERT_TRUE(sqlite_run(connection->db(), "PRAGMA user_version=7").ok());
  }
  const absl::Status newer = play_on(on_disk(disk), &is_filled);
  EXPECT_TRUE(absl::IsFailedPrecondition(newer)) << newer;
  EXPECT_NE(newer.message().find("schema version 7"), absl::string_view::npos) << newer;
  {
    const auto connection = Connection::open({"disk/jobs.db", disk.vfs(), true});
    ASSERT_TRUE(sqlite_run(connection->db(), "PRAGMA application_id=1").ok());
  }
  const absl::Status foreign = play_on(on_disk(disk), &is_filled);
  EXPECT_TRUE(absl::IsFailedPrecondition(foreign)) << foreign;
  EXPECT_NE(foreign.message().find("another program"), absl::string_view::npos) << foreign;
}

TEST(SqliteStore, ManyCallersShareOneWrite) {
  FaultDisk disk;
  const absl::Status status = play_on(on_disk(disk), [](SqliteStore& store) -> Co<absl::Status> {
    const auto submit = [](TaskGroup& group, SqliteStore& store) -> Co<absl::Status> {
      for (int n = 1; n <= 500; ++n) {
        group.spawn(
            [](SqliteStore& store, int n) -> Co<absl::Status> {
              co_return co_await put(store, make_record(n, kPending));
            },
            std::ref(store), n);
      }
      co_return absl::OkStatus();
    };
    const uint64_t before = store.stats().writes;
    co_await Try(with_group(submit, std::ref(store)));
    EXPECT_EQ(store.stats().live, 500u);
    EXPECT_LE(store.stats().writes - before, 3u);
    // Each write is one sync, and both are timed.
    const StoreStats stats = store.stats();
    EXPECT_EQ(stats.sync_time.count(), stats.writes);
    EXPECT_GT(stats.sync_time.sum_ns(), 0u);
    EXPECT_EQ(stats.write_time.count(), stats.writes);
    co_return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
}

TEST(SqliteStore, TheLogIsMovedIntoTheFileBeforeItGrowsLong) {
  FaultDisk disk;
  const absl::Status status = play_on(on_disk(disk), [](SqliteStore& store) -> Co<absl::Status> {
    const std::string large(size_t{1} << 20, ' ');
    uint64_t longest = 0;
    for (int n = 1; n <= 100; ++n) {
      co_await Try(put(store, make_record(n, kSucceeded, 1, large)));
      longest = std::max(longest, store.stats().log_bytes);
    }
    EXPECT_GT(longest, uint64_t{1} << 20);
    EXPECT_LT(longest, uint64_t{20} << 20);
    co_return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_LT(disk.content("disk/jobs.db-wal").size(), size_t{40} << 20);
}

Co<absl::Status> relaxed(SqliteStore& store) {
  const uint64_t before = store.stats().writes;
  co_await Try(put(store, make_record(1, kPending)));
  co_await Try(put(store, make_record(1, kRunning, 2)));
  co_await Try(put(store, make_record(2, kSucceeded)));
  EXPECT_EQ(store.stats().writes, before);
  EXPECT_EQ(store.stats().unwritten, 2u);
  JobView first = co_await Try(store.get(id_of(1)));
  EXPECT_EQ(first->state, kRunning);
  JobPage page = co_await Try(store.list_finished(JobFilter(), "", 10));
  EXPECT_EQ(numbers_of(page), "2 ");
  absl::Status removed = co_await store.remove(id_of(2));
  EXPECT_TRUE(removed.ok()) << removed;
  absl::StatusOr<JobView> gone = co_await store.get(id_of(2));
  EXPECT_TRUE(absl::IsNotFound(gone.status())) << gone.status();
  EXPECT_EQ(store.stats().unwritten, 0u);
  co_await Try(put(store, make_record(3, kSucceeded)));
  co_return absl::OkStatus();
}

// What must be known after a crash waits for the disk in a relaxed queue too.
Co<absl::Status> relaxed_and_synced(SqliteStore& store) {
  co_await Try(put(store, make_record(1, kPending)));
  const uint64_t before = store.stats().writes;
  std::vector<JobView> batch = {make_record(1, kRunning, 2)};
  co_await Try(store.commit_synced(std::move(batch)));
  EXPECT_GT(store.stats().writes, before);
  EXPECT_EQ(store.stats().unwritten, 0u);
  JobView first = co_await Try(store.get(id_of(1)));
  EXPECT_EQ(first->state, kRunning);
  co_return absl::OkStatus();
}

TEST(SqliteStore, ASyncedCommitIsOnTheDiskWhateverTheQueueAllows) {
  FaultDisk disk;
  SqliteOptions options = on_disk(disk);
  options.durability.otherwise = Durability::kRelaxed;
  const absl::Status status = play_on(options, &relaxed_and_synced);
  EXPECT_TRUE(status.ok()) << status;
}

Co<absl::Status> relaxed_was_kept(SqliteStore& store) {
  JobView first = co_await Try(store.get(id_of(1)));
  EXPECT_EQ(first->state, kRunning);
  JobView third = co_await Try(store.get(id_of(3)));
  EXPECT_EQ(third->state, kSucceeded);
  co_return absl::OkStatus();
}

TEST(SqliteStore, ARelaxedQueueIsAnsweredAtOnceAndNobodySeesTheDifference) {
  FaultDisk disk;
  SqliteOptions options = on_disk(disk);
  options.durability.otherwise = Durability::kRelaxed;
  absl::Status status = play_on(options, &relaxed);
  EXPECT_TRUE(status.ok()) << status;
  // close() wrote what was left.
  status = play_on(options, &relaxed_was_kept);
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace fermata
