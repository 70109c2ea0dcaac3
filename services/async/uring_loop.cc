#include "services/async/uring_loop.h"

#include <poll.h>

#include <cerrno>
#include <utility>

#include "services/async/check.h"
#include "services/async/uring_ring.h"

namespace fermata {
namespace {

constexpr std::size_t kCompletionsPerPoll = 128;
// Copying so much takes longer than the system call that is saved, and others wait for it.
constexpr std::size_t kBatchedSendBytes = 64 * 1024;

// What a completion is for: kind, generation and descriptor or slot, in one word.
enum class Kind : std::uint64_t { kNobody, kWake, kOnce, kRead, kWrite, kSend };
constexpr int kKindShift = 60;
constexpr std::uint32_t kGenerations = (1u << 28) - 1;

std::uint64_t pack(Kind kind, std::uint32_t generation, std::uint32_t index) noexcept {
  return static_cast<std::uint64_t>(kind) << kKindShift |
         std::uint64_t{generation & kGenerations} << 32 | index;
}

Kind kind_of(std::uint64_t user_data) noexcept {
  return static_cast<Kind>(user_data >> kKindShift);
}

std::uint32_t index_of(std::uint64_t user_data) noexcept {
  return static_cast<std::uint32_t>(user_data);
}

bool same_generation(std::uint64_t user_data, std::uint32_t generation) noexcept {
  return ((user_data >> 32) & kGenerations) == (generation & kGenerations);
}

// A file has nothing to wait for, and is always ready.
bool always_ready(int error) noexcept { return error == EINVAL || error == EOPNOTSUPP; }

}  // namespace

absl::StatusOr<std::unique_ptr<UringLoop>> UringLoop::make(std::size_t offload_threads) {
  absl::StatusOr<std::unique_ptr<UringRing>> ring = UringRing::make();
  if (!ring.ok()) return ring.status();
  return std::unique_ptr<UringLoop>(new UringLoop(*std::move(ring), offload_threads));
}

UringLoop::UringLoop(std::unique_ptr<UringRing> ring, std::size_t offload_threads)
    : KernelLoop(offload_threads), ring_(std::move(ring)) {
  batches_sends_ = true;
  listen_for_wakes();
}

UringLoop::~UringLoop() { stop_threads(); }

// A ring belongs to one thread. Descriptors that live on are armed again when somebody waits.
void UringLoop::enter_thread() noexcept {
  if (ring_->enter_thread()) return;
  absl::StatusOr<std::unique_ptr<UringRing>> ring = UringRing::make();
  FERMATA_CHECK(ring.ok(), "a loop moved to another thread and io_uring was not to be had again");
  ring_ = *std::move(ring);
  table_.forget_all();
  listen_for_wakes();
  const bool entered = ring_->enter_thread();
  FERMATA_CHECK(entered, "a new ring belongs to another thread");
}

void UringLoop::listen_for_wakes() noexcept {
  ring_->add_poll(wake_fd_.fd(), POLLIN, true, pack(Kind::kWake, 0, 0));
}

void UringLoop::poll_kernel(std::int64_t wait_ns) noexcept {
  ring_->wait(wait_ns);
  if (wait_ns != 0) refresh_clock();
  UringRing::Completion completions[kCompletionsPerPoll];
  const std::size_t count = ring_->take(absl::MakeSpan(completions));
  for (std::size_t i = 0; i < count; ++i) {
    const UringRing::Completion& done = completions[i];
    switch (kind_of(done.user_data)) {
      case Kind::kNobody:
        break;
      case Kind::kWake:
        if (!done.more) listen_for_wakes();
        break;
      case Kind::kOnce:
        complete_once(done.user_data, done.result);
        break;
      case Kind::kSend:
        complete_send(done.user_data, done.result);
        break;
      case Kind::kRead:
      case Kind::kWrite:
        complete_edge(done.user_data, done.result, done.more);
        break;
    }
  }
}

int UringLoop::arm(int fd, WatchTable::Entry& entry, std::uint32_t events) noexcept {
  if (!entry.edge) entry.armed = 0;
  const std::uint32_t missing = events & ~entry.armed;
  const std::uint32_t index = static_cast<std::uint32_t>(fd);
  if ((missing & POLLIN) != 0) {
    ring_->add_poll(fd, POLLIN | POLLRDHUP, true, pack(Kind::kRead, entry.generation, index));
  }
  if ((missing & POLLOUT) != 0) {
    ring_->add_poll(fd, POLLOUT, false, pack(Kind::kWrite, entry.generation, index));
  }
  entry.armed |= missing;
  entry.edge = true;
  return 0;
}

void UringLoop::disarm(int fd, WatchTable::Entry& entry) noexcept {
  const std::uint32_t index = static_cast<std::uint32_t>(fd);
  if ((entry.armed & POLLIN) != 0) {
    ring_->remove_poll(pack(Kind::kRead, entry.generation, index));
  }
  if ((entry.armed & POLLOUT) != 0) {
    ring_->remove_poll(pack(Kind::kWrite, entry.generation, index));
  }
  if (entry.armed != 0) ring_->flush();
}

void UringLoop::complete_edge(std::uint64_t user_data, int result, bool more) noexcept {
  const int fd = static_cast<int>(index_of(user_data));
  const std::uint32_t mask = WatchTable::mask(
      kind_of(user_data) == Kind::kRead ? IoWatch::Interest::kRead : IoWatch::Interest::kWrite);
  WatchTable::Entry& entry = table_.entry(fd);
  if (!same_generation(user_data, entry.generation)) return;
  if (!more) entry.armed &= ~mask;  // whoever waits next arms it again
  if (result < 0) {
    table_.fire(fd, mask, always_ready(-result) ? 0 : -result);
    return;
  }
  report(fd, static_cast<std::uint32_t>(result) | (more ? 0 : mask));
}

std::uint32_t UringLoop::take_slot(IoWatch& watch) noexcept {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t index = free_slots_.back();
  free_slots_.pop_back();
  slots_[index].watch = &watch;
  ++watching_once_;
  return index;
}

void UringLoop::free_slot(std::size_t index) noexcept {
  slots_[index].watch = nullptr;
  ++slots_[index].generation;
  free_slots_.push_back(static_cast<std::uint32_t>(index));
  --watching_once_;
}

int UringLoop::watch_once(IoWatch& watch) noexcept {
  const std::uint32_t index = take_slot(watch);
  watch.token = pack(Kind::kOnce, slots_[index].generation, index);
  ring_->add_poll(watch.fd, WatchTable::mask(watch.interest), false, watch.token);
  return 0;
}

bool UringLoop::send_soon(IoWatch& watch, std::string_view bytes) noexcept {
  if (bytes.size() > kBatchedSendBytes) return false;
  watch.mode = IoWatch::Mode::kSend;
  const std::uint32_t index = take_slot(watch);
  watch.token = pack(Kind::kSend, slots_[index].generation, index);
  ring_->add_send(watch.fd, bytes, watch.token);
  ++stats_.batched_sends;
  return true;
}

void UringLoop::unwatch_once(IoWatch& watch) noexcept {
  if (watch.mode == IoWatch::Mode::kSend) {
    ring_->withdraw_send(watch.token);
  } else {
    ring_->remove_poll(watch.token);
  }
  free_slot(index_of(watch.token));
}

void UringLoop::complete_once(std::uint64_t user_data, int result) noexcept {
  const std::size_t index = index_of(user_data);
  if (!same_generation(user_data, slots_[index].generation)) return;
  IoWatch& watch = *slots_[index].watch;
  free_slot(index);
  watch.error = result < 0 && !always_ready(-result) ? -result : 0;
  watch.fired(watch);
}

void UringLoop::complete_send(std::uint64_t user_data, int result) noexcept {
  const std::size_t index = index_of(user_data);
  if (!same_generation(user_data, slots_[index].generation)) return;
  IoWatch& watch = *slots_[index].watch;
  free_slot(index);
  watch.error = result < 0 ? -result : 0;
  watch.sent = result < 0 ? 0 : result;
  watch.fired(watch);
}

}  // namespace fermata
