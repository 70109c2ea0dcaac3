// Two connected Descriptors, and what the tests of Descriptor do with them.
#ifndef TESTS_ASYNC_DESCRIPTOR_ENDS_H_
#define TESTS_ASYNC_DESCRIPTOR_ENDS_H_

#include <sys/socket.h>
#include <unistd.h>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "services/async/descriptor.h"

namespace fermata {

struct Ends {
  Ends() {
    int fds[2] = {-1, -1};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    a = Descriptor(fds[0]);
    b = Descriptor(fds[1]);
  }
  Descriptor a, b;
};

// Lets the loop look at the kernel: what is there by now has been reported when this returns.
inline Co<void> let_the_loop_look() {
  for (int i = 0; i < 3; ++i) co_await sleep(absl::Microseconds(50));
}

inline Co<bool> wakes_within(Descriptor& end, IoWatch::Interest interest, absl::Duration limit) {
  bool woke = false;
  CancelScope scope;
  Outcome<void> outcome =
      co_await scope.run([](Descriptor& end, IoWatch::Interest interest, absl::Duration limit,
                            bool* woke) -> Co<absl::Status> {
        absl::Status status = absl::OkStatus();
        if (interest == IoWatch::Interest::kRead) {
          status = co_await timeout(limit, end.readable());
        } else {
          status = co_await timeout(limit, end.writable());
        }
        *woke = status.ok();
        co_return absl::OkStatus();
      }(end, interest, limit, &woke));
  co_return woke&& outcome.ok();
}

inline constexpr absl::Duration kSoon = absl::Seconds(20);          // must come
inline constexpr absl::Duration kNotAtAll = absl::Milliseconds(5);  // must not come
inline constexpr IoWatch::Interest kRead = IoWatch::Interest::kRead;
inline constexpr IoWatch::Interest kWrite = IoWatch::Interest::kWrite;

// Reads what is there and says how much; -1: nothing.
inline ssize_t read_all(Descriptor& end) {
  char bytes[256];
  end.clear_news(kRead);
  return read(end.fd(), bytes, sizeof bytes);
}

// Makes the loop know the descriptor: nothing can be read, so it was waited for in vain.
inline Co<void> acquaint(Descriptor& end) {
  bool woke = co_await wakes_within(end, kRead, kNotAtAll);
  EXPECT_FALSE(woke);
}

}  // namespace fermata

#endif  // TESTS_ASYNC_DESCRIPTOR_ENDS_H_
