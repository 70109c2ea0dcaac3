// Tests that run on every loop that waits in the kernel.
//
//   using Post = OnEveryLoop;
//   TEST_P(Post, WakesALoopThatSleeps) { auto loop = make(); … }
//   INSTANTIATE_ON_EVERY_LOOP(Post);
//
// io_uring is among them where this machine has it.
#ifndef TESTS_ASYNC_LOOPS_H_
#define TESTS_ASYNC_LOOPS_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"

namespace fermata {

inline const char* name_of(LoopKind kind) {
  return kind == LoopKind::kIoUring ? "io_uring" : "epoll";
}

inline std::vector<LoopKind> loops_here() {
  std::vector<LoopKind> kinds{LoopKind::kEpoll};
  if (UringLoop::make(1).ok()) kinds.push_back(LoopKind::kIoUring);
  return kinds;
}

class OnEveryLoop : public ::testing::TestWithParam<LoopKind> {
 protected:
  std::unique_ptr<KernelLoop> make(
      std::size_t offload_threads = KernelLoop::kOffloadThreads) const {
    std::unique_ptr<KernelLoop> loop = make_loop(GetParam(), offload_threads);
    EXPECT_STREQ(loop->kind(), name_of(GetParam()));
    return loop;
  }
};

}  // namespace fermata

#define INSTANTIATE_ON_EVERY_LOOP(suite)                                                   \
  INSTANTIATE_TEST_SUITE_P(, suite, ::testing::ValuesIn(::fermata::loops_here()),          \
                           [](const ::testing::TestParamInfo<::fermata::LoopKind>& info) { \
                             return std::string(::fermata::name_of(info.param));           \
                           })

#endif  // TESTS_ASYNC_LOOPS_H_
