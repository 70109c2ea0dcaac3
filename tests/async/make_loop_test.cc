// Which loop make_loop() gives, and what it says about it.
#include "services/async/make_loop.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "services/async/async.h"

namespace fermata {
namespace {

class Environment {
 public:
  explicit Environment(const char* value) { setenv("FERMATA_LOOP", value, 1); }
  Environment(const Environment&) = delete;
  ~Environment() { unsetenv("FERMATA_LOOP"); }
};

TEST(MakeLoop, KnowsTheNames) {
  EXPECT_EQ(parse_loop_kind("auto"), LoopKind::kAuto);
  EXPECT_EQ(parse_loop_kind("epoll"), LoopKind::kEpoll);
  EXPECT_EQ(parse_loop_kind("io_uring"), LoopKind::kIoUring);
  EXPECT_EQ(parse_loop_kind("select"), std::nullopt);
}

TEST(MakeLoop, TheEnvironmentDecidesForAuto) {
  const Environment environment("epoll");
  std::string why;
  EXPECT_STREQ(make_loop(LoopKind::kAuto, 1, &why)->kind(), "epoll");
  EXPECT_EQ(why, "FERMATA_LOOP=epoll");
}

TEST(MakeLoop, WhatIsAskedForIsNotOverruled) {
  const Environment environment("io_uring");
  std::string why;
  EXPECT_STREQ(make_loop(LoopKind::kEpoll, 1, &why)->kind(), "epoll");
  EXPECT_EQ(why, "asked for");
}

TEST(MakeLoop, AnUnknownWordInTheEnvironmentIsReported) {
  const Environment environment("kqueue");
  std::string why;
  EXPECT_NE(make_loop(LoopKind::kAuto, 1, &why), nullptr);
  EXPECT_EQ(why, "ignored FERMATA_LOOP=kqueue, expected auto, epoll or io_uring");
}

// As containers do it: the system call that makes rings fails with EPERM, for this process only.
void forbid_io_uring() {
  sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog program{sizeof(rules) / sizeof(rules[0]), rules};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) std::abort();
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) std::abort();
}

[[noreturn]] void run_where_io_uring_is_forbidden() {
  forbid_io_uring();
  std::string why;
  const std::unique_ptr<KernelLoop> loop = make_loop(LoopKind::kIoUring, 1, &why);
  const absl::Status status = loop->run([]() -> Co<absl::Status> {
    co_await sleep(absl::Microseconds(1));
    co_return absl::OkStatus();
  });
  std::fprintf(stderr, "%s: %s", loop->kind(), why.c_str());
  std::_Exit(status.ok() ? 0 : 1);
}

TEST(MakeLoop, GivesEpollWhereIoUringIsForbiddenAndSaysWhy) {
  EXPECT_EXIT(run_where_io_uring_is_forbidden(), ::testing::ExitedWithCode(0),
              "epoll: io_uring_setup: Operation not permitted; .*seccomp");
}

}  // namespace
}  // namespace fermata
