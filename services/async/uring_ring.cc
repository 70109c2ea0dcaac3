#include "services/async/uring_ring.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "services/async/check.h"

namespace fermata {
namespace {

constexpr unsigned kSubmissions = 256;
constexpr unsigned kCompletions = 4096;
constexpr std::int64_t kNsPerSecond = 1'000'000'000;

// Best first. A kernel that does not know one of the flags refuses with EINVAL.
constexpr unsigned kAlways = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
constexpr unsigned kFlags[] = {
    // Linux 6.1: nothing interrupts the thread; completions are worked off inside wait().
    kAlways | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
        IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_R_DISABLED,
    // Linux 5.19: no interrupts, but on every way out of the kernel.
    kAlways | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
    kAlways,
};
// A timeout passed with the wait, no lost completions, removals without an answer, multishot polls.
constexpr unsigned kNeeded = IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP | IORING_FEAT_CQE_SKIP;

std::string what_to_do(int error) {
  switch (error) {
    case ENOSYS:
      return "this kernel has no io_uring; Linux 5.17 or newer has what is needed";
    case EPERM:
    case EACCES:
      return "it is forbidden here: look at the container's seccomp profile and at "
             "/proc/sys/kernel/io_uring_disabled";
    case ENOMEM:
      return "raise the limit of locked memory (ulimit -l, LimitMEMLOCK=)";
    case EMFILE:
    case ENFILE:
      return "too many open files; raise ulimit -n";
    default:
      return "Linux 5.17 or newer has what is needed";
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<UringRing>> UringRing::make() {
  std::unique_ptr<UringRing> ring(new UringRing);
  int error = EINVAL;
  for (const unsigned flags : kFlags) {
    error = ring->open(flags);
    if (error != EINVAL) break;
  }
  if (error != 0) {
    return absl::UnavailableError(
        absl::StrCat("io_uring_setup: ", std::strerror(error), "; ", what_to_do(error)));
  }
  if ((ring->ring_.features & kNeeded) != kNeeded) {
    return absl::UnavailableError(absl::StrCat("io_uring lacks features here: has ",
                                               absl::Hex(ring->ring_.features), ", needs ",
                                               absl::Hex(kNeeded), "; ", what_to_do(ENOSYS)));
  }
  return ring;
}

int UringRing::open(unsigned flags) noexcept {
  io_uring_params params{};
  params.flags = flags;
  params.cq_entries = kCompletions;
  const int error = -io_uring_queue_init_params(kSubmissions, &ring_, &params);
  opened_ = error == 0;
  disabled_ = (flags & IORING_SETUP_R_DISABLED) != 0;
  return error;
}

UringRing::~UringRing() {
  if (opened_) io_uring_queue_exit(&ring_);
}

bool UringRing::enter_thread() noexcept {
  const std::thread::id here = std::this_thread::get_id();
  if (thread_ == here) [[likely]]
    return true;
  if (thread_ != std::thread::id()) return false;
  thread_ = here;
  if (disabled_) {
    // Debian's liburing does not export io_uring_enable_rings().
    const long result =
        syscall(__NR_io_uring_register, ring_.ring_fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
    FERMATA_CHECK(result == 0, "the kernel did not enable the io_uring it made");
  }
  (void)io_uring_register_ring_fd(&ring_);  // spares a look-up at every wait; not every kernel can
  return true;
}

bool UringRing::put(const Op& op) noexcept {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  if (entry == nullptr) {
    (void)io_uring_submit(&ring_);
    entry = io_uring_get_sqe(&ring_);
    if (entry == nullptr) return false;  // the kernel wants completions to be taken first
  }
  switch (op.kind) {
    case Op::Kind::kPoll:
    case Op::Kind::kMultishotPoll:
      io_uring_prep_poll_add(entry, op.fd, op.events);
      if (op.kind == Op::Kind::kMultishotPoll) entry->len = IORING_POLL_ADD_MULTI;
      break;
    case Op::Kind::kSend:
      // Without MSG_DONTWAIT the kernel would keep it, and the bytes, until there is room.
      io_uring_prep_send(entry, op.fd, op.bytes.data(), op.bytes.size(),
                         MSG_NOSIGNAL | MSG_DONTWAIT);
      break;
    case Op::Kind::kRemovePoll:
      // Not IORING_OP_POLL_REMOVE: a multishot poll whose event the thread has not fetched yet
      // answers it with EALREADY, lives on, and holds the file, whose peer then never sees the end.
      io_uring_prep_cancel64(entry, op.user_data, 0);
      io_uring_sqe_set_data64(entry, 0);
      entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
      return true;
  }
  io_uring_sqe_set_data64(entry, op.user_data);
  return true;
}

void UringRing::put_backlog() noexcept {
  if (backlog_.empty()) [[likely]]
    return;
  std::size_t put_in = 0;
  while (put_in < backlog_.size() && put(backlog_[put_in])) ++put_in;
  backlog_.erase(backlog_.begin(), backlog_.begin() + static_cast<std::ptrdiff_t>(put_in));
}

void UringRing::add(const Op& op) noexcept {
  // Behind what waits already: a removal must not overtake what it removes.
  if (!backlog_.empty() || !put(op)) backlog_.push_back(op);
}

void UringRing::add_poll(int fd, std::uint32_t events, bool multishot,
                         std::uint64_t user_data) noexcept {
  add(Op{multishot ? Op::Kind::kMultishotPoll : Op::Kind::kPoll, fd, events, {}, user_data});
}

void UringRing::remove_poll(std::uint64_t user_data) noexcept {
  add(Op{Op::Kind::kRemovePoll, -1, 0, {}, user_data});
}

void UringRing::add_send(int fd, std::string_view bytes, std::uint64_t user_data) noexcept {
  add(Op{Op::Kind::kSend, fd, 0, bytes, user_data});
}

// What the kernel has taken has ended. What it has not is still ours to change, and becomes
// nothing.
void UringRing::withdraw_send(std::uint64_t user_data) noexcept {
  std::erase_if(backlog_, [user_data](const Op& op) { return op.user_data == user_data; });
  const unsigned waiting = io_uring_sq_ready(&ring_);
  for (unsigned back = 1; back <= waiting; ++back) {
    io_uring_sqe& entry = ring_.sq.sqes[(ring_.sq.sqe_tail - back) & *ring_.sq.kring_mask];
    if (entry.user_data != user_data) continue;
    io_uring_prep_nop(&entry);
    io_uring_sqe_set_data64(&entry, 0);
    return;
  }
}

void UringRing::flush() noexcept {
  put_backlog();
  (void)io_uring_submit_and_get_events(&ring_);
}

bool UringRing::kernel_has_something() const noexcept {
  const unsigned flags = __atomic_load_n(ring_.sq.kflags, __ATOMIC_RELAXED);
  return (flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

// Every error is one that goes away: interrupted, timed out, or the kernel is short of memory or of
// room for completions, which are taken next.
void UringRing::wait(std::int64_t wait_ns) noexcept {
  put_backlog();
  if (io_uring_cq_ready(&ring_) != 0 || !backlog_.empty()) wait_ns = 0;
  if (wait_ns == 0) {
    if (io_uring_sq_ready(&ring_) != 0 || kernel_has_something()) {
      (void)io_uring_submit_and_get_events(&ring_);
    }
    return;
  }
  if (wait_ns < 0) {
    (void)io_uring_submit_and_wait(&ring_, 1);
    return;
  }
  __kernel_timespec time{wait_ns / kNsPerSecond, wait_ns % kNsPerSecond};
  io_uring_cqe* first = nullptr;
  (void)io_uring_submit_and_wait_timeout(&ring_, &first, 1, &time, nullptr);
}

std::size_t UringRing::take(absl::Span<Completion> completions) noexcept {
  unsigned head = 0;
  std::size_t taken = 0;
  const io_uring_cqe* entry = nullptr;
  io_uring_for_each_cqe(&ring_, head, entry) {
    if (taken == completions.size()) break;
    completions[taken++] =
        Completion{entry->user_data, entry->res, (entry->flags & IORING_CQE_F_MORE) != 0};
  }
  io_uring_cq_advance(&ring_, static_cast<unsigned>(taken));
  return taken;
}

}  // namespace fermata
