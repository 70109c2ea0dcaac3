// UringRing: one io_uring, as far as a loop needs it: polls to begin and end, bytes to send, and a
// wait.
//
// Nothing here enters the kernel but wait() and flush(), and wait() only when there is something to
// submit, to fetch or to wait for. What does not fit into the submission queue stays in a backlog
// until it does; what does not fit into the completion queue the kernel keeps and hands out later.
//
// Where the kernel can, completions are processed only when this thread asks for them, and the ring
// belongs to one thread: the first that waits. It need not be the one that made it.
#ifndef SERVICES_ASYNC_URING_RING_H_
#define SERVICES_ASYNC_URING_RING_H_

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace fermata {

class UringRing {
 public:
  struct Completion {
    std::uint64_t user_data;
    std::int32_t result;  // poll events, or bytes sent, or a negative errno
    bool more;            // a multishot poll goes on
  };

  // Unavailable where the kernel does not offer io_uring, or not enough of it; the message says why
  // and what to do.
  static absl::StatusOr<std::unique_ptr<UringRing>> make();
  UringRing(const UringRing&) = delete;
  UringRing& operator=(const UringRing&) = delete;
  ~UringRing();

  // False: another thread waited first; this one needs a ring of its own.
  bool enter_thread() noexcept;

  void add_poll(int fd, std::uint32_t events, bool multishot, std::uint64_t user_data) noexcept;
  // `user_data` is that of the poll. It may still complete, if it has in the meantime.
  void remove_poll(std::uint64_t user_data) noexcept;

  // send(2) that never waits: it has ended when the kernel has taken the request, in wait(). The
  // bytes must stay until then.
  void add_send(int fd, std::string_view bytes, std::uint64_t user_data) noexcept;
  // The bytes are not looked at any more. It may complete nevertheless.
  void withdraw_send(std::uint64_t user_data) noexcept;

  // Submits what was added. What was removed has let go of its descriptor afterwards.
  void flush() noexcept;
  // The same, and waits for a completion: for at most `wait_ns`; negative: however long; 0: not.
  void wait(std::int64_t wait_ns) noexcept;
  std::size_t take(absl::Span<Completion> completions) noexcept;

 private:
  struct Op {
    enum class Kind : std::uint8_t { kPoll, kMultishotPoll, kRemovePoll, kSend };
    Kind kind;
    int fd;
    std::uint32_t events;
    std::string_view bytes;
    std::uint64_t user_data;
  };

  UringRing() = default;
  int open(unsigned flags) noexcept;
  void add(const Op& op) noexcept;
  bool put(const Op& op) noexcept;
  void put_backlog() noexcept;
  bool kernel_has_something() const noexcept;

  io_uring ring_{};
  bool opened_ = false;
  bool disabled_ = false;
  std::thread::id thread_;
  std::vector<Op> backlog_;
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_URING_RING_H_
