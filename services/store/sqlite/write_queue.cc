#include "services/store/sqlite/write_queue.h"

#include <utility>

#include "services/async/check.h"
#include "services/config/planted_bug.h"
#include "services/config/str_cat.h"

namespace fermata {
namespace {

// One transaction's most; more wait for the next one.
constexpr size_t kWindowRecords = 8192;
constexpr size_t kWindowBytes = size_t{32} << 20;
// The log is moved into the file when it has grown by so much, and never grows beyond the second.
constexpr uint64_t kCheckpointBytes = uint64_t{16} << 20;
constexpr uint64_t kLogMax = uint64_t{1} << 30;
constexpr int64_t kRetryNs = 1'000'000'000;

}  // namespace

struct WriteQueue::Job : OffloadJob {
  explicit Job(WriteQueue& queue) : OffloadJob(&Job::work, &Job::done), queue(queue) {}
  static void work(OffloadJob& base) noexcept {
    Job& job = static_cast<Job&>(base);
    if (job.window == nullptr) {
      job.checkpointed = job.queue.writer_.checkpoint();
    } else {
      job.answer = job.queue.writer_.write(job.window->request);
    }
  }
  static void done(PostNode& node) noexcept {
    Job& job = static_cast<Job&>(static_cast<OffloadJob&>(node));
    job.queue.ended(job);
  }
  WriteQueue& queue;
  WindowRef window;  // null: a checkpoint
  WriteAnswer answer;
  absl::Status checkpointed;
  int64_t began_ns = 0;
};

// The turn is over: what came in it is written together.
struct WriteQueue::Start : PostNode {
  explicit Start(WriteQueue& queue) : PostNode(&Start::run_it), queue(queue) {}
  static void run_it(PostNode& node) noexcept {
    WriteQueue& queue = static_cast<Start&>(node).queue;
    queue.start_posted_ = false;
    queue.next();
  }
  WriteQueue& queue;
};

// What could not be written and nobody waits for is tried again.
struct WriteQueue::Retry : Timer {
  explicit Retry(WriteQueue& queue) : Timer(&Retry::due), queue(queue) {}
  static void due(Timer& timer) noexcept {
    WriteQueue& queue = static_cast<Retry&>(timer).queue;
    queue.rewrite_unwritten_ = true;
    queue.start_soon();
  }
  WriteQueue& queue;
};

WriteQueue::WriteQueue(Loop& loop, const Clock& clock, SqliteWriter& writer, bool own_thread)
    : loop_(loop),
      clock_(clock),
      writer_(writer),
      job_(std::make_unique<Job>(*this)),
      retry_(std::make_unique<Retry>(*this)),
      checkpoint_at_(kCheckpointBytes),
      start_(std::make_unique<Start>(*this)) {
  if (own_thread) thread_.emplace(loop, 1);
  const StoreCounts& counts = writer.counts();
  stats_.live = static_cast<size_t>(counts.live);
  stats_.finished = static_cast<size_t>(counts.finished);
  stats_.finished_bytes = static_cast<size_t>(counts.finished_bytes);
  stats_.log_bytes = writer.wal_bytes();
  stats_.file_bytes = writer.file_bytes();
}

WriteQueue::~WriteQueue() {
  FERMATA_CHECK(!busy_ && !start_posted_, "a store was destroyed before close() had ended");
}

absl::Status WriteQueue::refusal() const {
  if (stats_.health != StoreHealth::kStopped) return absl::OkStatus();
  return absl::UnavailableError(
      str_cat("the store does not write any more, because what the disk has is uncertain; check "
              "the disk and restart the server. The reason: ",
              stats_.problem));
}

WriteQueue::Window& WriteQueue::open_window(size_t bytes) {
  const bool fits = !waiting_.empty() && waiting_.back()->request.records.size() < kWindowRecords &&
                    waiting_.back()->bytes + bytes <= kWindowBytes;
  if (!fits) waiting_.push_back(std::make_shared<Window>());
  start_soon();
  return *waiting_.back();
}

void WriteQueue::add(Window& window, const std::vector<JobView>& records) {
  ++stats_.commits;
  stats_.records += records.size();
  for (const JobView& record : records) window.bytes += bytes_of(*record);
  window.request.records.insert(window.request.records.end(), records.begin(), records.end());
}

Co<absl::Status> WriteQueue::write(std::vector<JobView> records) {
  absl::Status refused = refusal();
  if (!refused.ok()) co_return refused;
  size_t bytes = 0;
  for (const JobView& record : records) bytes += bytes_of(*record);
  add(open_window(bytes), records);
  const WindowRef window = waiting_.back();
  co_await shield(window->done.wait());
  co_return window->status;
}

absl::Status WriteQueue::write_later(std::vector<JobView> records) {
  absl::Status refused = refusal();
  if (!refused.ok()) return refused;
  FERMATA_CHECK(!unwritten_.full(), "more is unwritten than may be lost");
  Window& window = open_window(0);
  add(window, records);
  window.relaxed.insert(window.relaxed.end(), records.begin(), records.end());
  for (JobView& record : records) {
    const JobKey key = *key_of(record->id());
    unwritten_.put(key, std::move(record));
  }
  return absl::OkStatus();
}

Co<absl::Status> WriteQueue::remove(std::string id) {
  absl::Status refused = refusal();
  if (!refused.ok()) co_return refused;
  Window& open = open_window(0);
  const size_t place = open.request.removals.size();
  open.request.removals.push_back(std::move(id));
  const WindowRef window = waiting_.back();
  co_await shield(window->done.wait());
  if (!window->status.ok()) co_return window->status;
  co_return window->removed[place];
}

Co<absl::Status> WriteQueue::flush() {
  if (unwritten_.size() == 0) co_return absl::OkStatus();
  absl::Status refused = refusal();
  if (!refused.ok()) co_return refused;
  rewrite_unwritten_ = true;  // also what has failed before
  (void)open_window(0);
  const WindowRef window = waiting_.back();
  co_await shield(window->done.wait());
  co_return window->status;
}

void WriteQueue::tidy() {
  more_to_evict_ = true;
  start_soon();
}

Co<void> WriteQueue::close() {
  closing_ = true;
  more_to_evict_ = false;
  retry_->disarm();
  if (unwritten_.size() > 0) {
    // What failed before is tried once more.
    rewrite_unwritten_ = true;
    start_soon();
  }
  while (busy_ || start_posted_ || !waiting_.empty()) co_await shield(idle_.wait());
  retry_->disarm();
}

void WriteQueue::start_soon() {
  if (busy_ || start_posted_) return;
  start_posted_ = true;
  loop_.post(*start_);
}

void WriteQueue::next() {
  if (busy_) return;
  if (stats_.health == StoreHealth::kStopped) fail_waiting();
  const bool stopped = stats_.health == StoreHealth::kStopped;
  if (!stopped && stats_.log_bytes >= checkpoint_at_) return begin_checkpoint();
  if (!stopped && stats_.log_bytes > kLogMax) {
    note(absl::ResourceExhaustedError(
        str_cat("the store's log has ", stats_.log_bytes,
                " bytes and cannot be moved into its file: a reader, such as a backup or an "
                "sqlite3 shell, has it open too long")));
    checkpoint_at_ = stats_.log_bytes;
    fail_waiting();
  }
  if (!stopped && (!waiting_.empty() || more_to_evict_ || rewrite_unwritten_)) return begin_write();
  idle_.set();
  idle_.clear();
}

void WriteQueue::begin_checkpoint() {
  job_->window = nullptr;
  submit();
}

void WriteQueue::begin_write() {
  if (waiting_.empty()) waiting_.push_back(std::make_shared<Window>());
  job_->window = std::move(waiting_.front());
  waiting_.pop_front();
  Window& window = *job_->window;
  window.request.now = clock_.now();
  more_to_evict_ = false;
  if (rewrite_unwritten_) {
    rewrite_unwritten_ = false;
    window.relaxed = unwritten_.all();
    window.request.records.insert(window.request.records.end(), window.relaxed.begin(),
                                  window.relaxed.end());
  }
  submit();
}

void WriteQueue::submit() {
  busy_ = true;
  job_->began_ns = loop_.now_ns();
  if (thread_.has_value()) {
    thread_->submit(*job_);
  } else {
    loop_.offload(*job_);
  }
}

void WriteQueue::ended(Job& job) {
  busy_ = false;
  if (job.window == nullptr) {
    stats_.log_bytes = writer_.wal_bytes();
    stats_.file_bytes = writer_.file_bytes();
    checkpoint_at_ = stats_.log_bytes + kCheckpointBytes;
    if (!job.checkpointed.ok()) note(job.checkpointed);
  } else {
    stats_.write_time.observe(loop_.now_ns() - job.began_ns);
    settle(*job.window, job.answer);
    job.window = nullptr;
  }
  next();
}

void WriteQueue::settle(Window& window, const WriteAnswer& answer) {
  ++stats_.writes;
  // Also of a sync that failed: a disk that breaks is slow first.
  if (answer.sync_ns > 0) stats_.sync_time.observe(answer.sync_ns);
  stats_.live = static_cast<size_t>(answer.counts.live);
  stats_.finished = static_cast<size_t>(answer.counts.finished);
  stats_.finished_bytes = static_cast<size_t>(answer.counts.finished_bytes);
  stats_.evicted += answer.evicted;
  stats_.log_bytes = answer.wal_bytes;
  window.status = answer.status;
  window.removed = answer.removed;
  note(answer.status);
  if (answer.status.ok()) {
    more_to_evict_ = answer.more_to_evict && !closing_;
    for (const JobView& record : window.relaxed) unwritten_.written(record);
  } else if (!window.relaxed.empty() && stats_.health != StoreHealth::kStopped && !closing_) {
    // With whoever waits already, or by itself.
    rewrite_unwritten_ = !waiting_.empty();
    if (!rewrite_unwritten_) loop_.timers().arm(*retry_, loop_.now_ns() + kRetryNs);
  }
  window.done.set();
}

void WriteQueue::note(const absl::Status& status) {
  if (stats_.health == StoreHealth::kStopped) return;
  if (status.ok()) {
    stats_.health = StoreHealth::kOk;
    return;
  }
  ++stats_.failures;
  const bool passes = absl::IsResourceExhausted(status) || absl::IsAborted(status);
  if (planted(PlantedBug::kGoOnAfterSyncError)) return;
  stats_.health = passes ? StoreHealth::kRefusing : StoreHealth::kStopped;
  stats_.problem = std::string(status.message());
}

void WriteQueue::fail_waiting() {
  while (!waiting_.empty()) {
    const WindowRef window = std::move(waiting_.front());
    waiting_.pop_front();
    window->status = stats_.health == StoreHealth::kStopped
                         ? refusal()
                         : absl::ResourceExhaustedError(stats_.problem);
    window->done.set();
  }
}

StoreStats WriteQueue::stats() const {
  StoreStats stats = stats_;
  stats.unwritten = unwritten_.size();
  return stats;
}

}  // namespace fermata
