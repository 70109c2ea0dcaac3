#include "services/store/sqlite/maintenance.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "services/async/sim_loop.h"
#include "services/store/sqlite/sqlite_store.h"
#include "tests/store/records.h"

namespace fermata {
namespace {

using enum JobState;

// A folder with a store of 30 finished and 20 unfinished jobs in `store`, and a server that may be
// running on it.
class Maintenance : public testing::Test {
 protected:
  Maintenance() {
    std::string name = testing::TempDir() + "maintenanceXXXXXX";
    root_ = mkdtemp(name.data());
    options_.directory = root_ + "/store";
    options_.own_thread = false;
    store_ = open();
    const absl::Status status = loop_.run(&fill, std::ref(*store_));
    EXPECT_TRUE(status.ok()) << status;
  }
  ~Maintenance() override {
    close();
    std::filesystem::remove_all(root_);
  }

  std::unique_ptr<SqliteStore> open() {
    absl::StatusOr<std::unique_ptr<SqliteStore>> store = SqliteStore::open(loop_, clock_, options_);
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : nullptr;
  }
  // The server leaves.
  void close() {
    if (store_ != nullptr) (void)loop_.run(&close_store, std::ref(*store_));
    store_ = nullptr;
  }
  static Co<absl::Status> close_store(SqliteStore& store) {
    co_await store.close();
    co_return absl::OkStatus();
  }
  static Co<absl::Status> fill(SqliteStore& store) {
    for (int n = 1; n <= 50; ++n) {
      JobState state = kPending;
      if (n <= 30) state = kSucceeded;
      JobView record = make_record(n, state, 1, std::string(2000, 'a'));
      co_await Try(put(store, std::move(record)));
    }
    co_return absl::OkStatus();
  }

  std::string root_;
  SimLoop loop_;
  LoopClock clock_{loop_};
  SqliteOptions options_;
  std::unique_ptr<SqliteStore> store_;
};

TEST_F(Maintenance, AStoreInUseIsCountedVerifiedAndCopied) {
  const absl::StatusOr<StoreFigures> figures = store_figures(options_.directory);
  ASSERT_TRUE(figures.ok()) << figures.status();
  EXPECT_EQ(figures->live, 20);
  EXPECT_EQ(figures->finished, 30);
  EXPECT_TRUE(figures->in_use);
  ASSERT_TRUE(copy_store(options_.directory, root_ + "/backup").ok());
  close();
  for (const char* name : {"/store", "/backup"}) {
    const absl::StatusOr<StoreReport> report = verify_store(root_ + name);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->records, 50);
    EXPECT_EQ(report->problem_count, 0) << report->problems.front();
    EXPECT_FALSE(report->figures.in_use);
  }
}

TEST_F(Maintenance, ABackupIsRestoredOnlyWhereThereIsNoStore) {
  ASSERT_TRUE(copy_store(options_.directory, root_ + "/backup").ok());
  close();
  absl::Status restored = copy_store(root_ + "/backup", options_.directory);
  EXPECT_TRUE(absl::IsFailedPrecondition(restored)) << restored;
  std::filesystem::remove(options_.directory + "/jobs.db");
  std::filesystem::remove(options_.directory + "/jobs.db-wal");
  std::filesystem::remove(options_.directory + "/jobs.db-shm");
  restored = copy_store(root_ + "/backup", options_.directory);
  ASSERT_TRUE(restored.ok()) << restored;
  store_ = open();
  ASSERT_NE(store_, nullptr);
  EXPECT_EQ(store_->stats().live, 20u);
  EXPECT_EQ(store_->stats().finished, 30u);
}

std::string read(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST_F(Maintenance, VerifyNamesEveryJobThatIsDamaged) {
  ASSERT_TRUE(copy_store(options_.directory, root_ + "/backup").ok());
  const std::string file = root_ + "/backup/jobs.db";
  std::string bytes = read(file);
  for (const int n : {7, 40}) bytes[bytes.find(id_of(n)) + 100] ^= 1;
  std::ofstream(file, std::ios::binary) << bytes;
  const absl::StatusOr<StoreReport> report = verify_store(root_ + "/backup");
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->records, 48);
  ASSERT_EQ(report->problem_count, 2);
  EXPECT_NE(report->problems[0].find("live, job with key"), std::string::npos);
  EXPECT_NE(report->problems[0].find("00000040-0000-7000"), std::string::npos);
  EXPECT_NE(report->problems[1].find("00000007-0000-7000"), std::string::npos);
  EXPECT_NE(report->problems[1].find("checksum"), std::string::npos);
}

TEST_F(Maintenance, CompactGivesSpaceBackAndNeedsTheDirectoryToItself) {
  const absl::Status emptied = loop_.run(
      [](SqliteStore& store) -> Co<absl::Status> {
        for (int n = 1; n <= 30; ++n) co_await Try(store.remove(id_of(n)));
        co_return absl::OkStatus();
      },
      std::ref(*store_));
  ASSERT_TRUE(emptied.ok()) << emptied;
  EXPECT_TRUE(absl::IsFailedPrecondition(compact_store(options_.directory)));
  close();
  const absl::StatusOr<StoreFigures> before = store_figures(options_.directory);
  ASSERT_TRUE(before.ok()) << before.status();
  EXPECT_GT(before->free_bytes, 0u);
  const absl::Status compacted = compact_store(options_.directory);
  ASSERT_TRUE(compacted.ok()) << compacted;
  const absl::StatusOr<StoreReport> after = verify_store(options_.directory);
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(after->figures.free_bytes, 0u);
  EXPECT_LT(after->figures.file_bytes, before->file_bytes);
  EXPECT_EQ(after->records, 20);
  EXPECT_EQ(after->problem_count, 0);
}

TEST_F(Maintenance, ADirectoryWithoutAStoreIsNotMadeOne) {
  const absl::Status figures = store_figures(root_ + "/nowhere").status();
  EXPECT_FALSE(figures.ok());
  EXPECT_FALSE(std::filesystem::exists(root_ + "/nowhere"));
}

}  // namespace
}  // namespace fermata
