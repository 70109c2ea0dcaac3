// WriteQueue: group commit. One write at a time; whatever came meanwhile goes into the next one.
//
//   write() ─► window ─┐ gathers while …
//   write() ─► window ─┴─► … the one before it is written ─► one transaction, one sync ─► all wake
//
// There is no timer: a write begins at the end of the loop's turn when none is under way, so one
// caller waits for one sync, and many callers share theirs. Writes run on a thread of their own; a
// loop that is simulated runs them itself.
//
// A write that finds no space fails, everybody in it is told, and the next one is tried like any
// other. After anything worse nothing is written any more: once a sync has failed, the kernel may
// have dropped what it could not write, and a second sync that succeeds proves nothing.
//
// Loop thread only, but for what Job::work touches: the writer and its own window.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "services/async/async.h"
#include "services/async/offload_pool.h"
#include "services/store/clock.h"
#include "services/store/job_store.h"
#include "services/store/sqlite/sqlite_writer.h"
#include "services/store/sqlite/unwritten_records.h"

namespace fermata {

class WriteQueue {
 public:
  WriteQueue(Loop& loop, const Clock& clock, SqliteWriter& writer, bool own_thread);
  ~WriteQueue();
  WriteQueue(const WriteQueue&) = delete;

  // Wakes when they are on disk, or are not and will not be. On cancel: waits all the same.
  Co<absl::Status> write(std::vector<JobView> records);
  // Of relaxed queues: they are in unwritten() until they are on disk. Requires room there.
  absl::Status write_later(std::vector<JobView> records);
  // Likewise; NOT_FOUND, FAILED_PRECONDITION.
  Co<absl::Status> remove(std::string id);
  // Wakes when everything that was told to be stored before is on disk, or cannot be written now.
  Co<absl::Status> flush();
  // Lets retention look at what there is.
  void tidy();
  // Wakes when nothing is under way. Nothing may be added after it.
  Co<void> close();

  const UnwrittenRecords& unwritten() const { return unwritten_; }
  StoreStats stats() const;

 private:
  // What is written together.
  struct Window {
    WriteRequest request;
    std::vector<JobView> relaxed;  // of request.records, those nobody waits for
    size_t bytes = 0;
    absl::Status status;
    std::vector<absl::Status> removed;
    Event done;
  };
  using WindowRef = std::shared_ptr<Window>;
  struct Job;
  struct Retry;

  Window& open_window(size_t bytes);
  void add(Window& window, const std::vector<JobView>& records);
  void start_soon();
  void next();
  void begin_checkpoint();
  void begin_write();
  void submit();
  void ended(Job& job);
  void settle(Window& window, const WriteAnswer& answer);
  void note(const absl::Status& status);
  void fail_waiting();
  absl::Status refusal() const;

  Loop& loop_;
  const Clock& clock_;
  SqliteWriter& writer_;
  std::optional<OffloadPool> thread_;
  std::unique_ptr<Job> job_;
  std::unique_ptr<Retry> retry_;
  std::deque<WindowRef> waiting_;
  UnwrittenRecords unwritten_;
  StoreStats stats_;
  uint64_t checkpoint_at_;
  struct Start;
  std::unique_ptr<Start> start_;
  bool start_posted_ = false;
  bool busy_ = false;
  bool more_to_evict_ = false;
  bool rewrite_unwritten_ = false;  // the next write takes all of them, some have failed
  bool closing_ = false;
  Event idle_;
};

}  // namespace fermata
