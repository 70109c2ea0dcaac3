// What happens to text that nobody can take.
#include "services/cli/output.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>

#include "gtest/gtest.h"

namespace fermata::cli {
namespace {

TEST(Output, AFullDiskTurnsASuccessIntoALostOutput) {
  Output out(Terminal{.fd = open("/dev/full", O_WRONLY | O_CLOEXEC)});
  EXPECT_FALSE(out.write_line("a result"));
  EXPECT_EQ(out.error(), ENOSPC);
  EXPECT_EQ(end_with(ExitCode::kOk, out), ExitCode::kOutputLost);
  EXPECT_EQ(end_with(ExitCode::kJobFailed, out), ExitCode::kJobFailed);
}

TEST(Output, AReaderThatLeftIsNoFailure) {
  signal(SIGPIPE, SIG_IGN);
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  close(ends[0]);
  Output out(Terminal{.fd = ends[1]});
  EXPECT_FALSE(out.write_line("a result"));
  EXPECT_EQ(end_with(ExitCode::kOk, out), ExitCode::kOk);
  close(ends[1]);
}

TEST(Output, AClosedStdoutIsTold) {
  const int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
  Output out(Terminal{.fd = fd});
  close(fd);
  EXPECT_FALSE(out.write("a result"));
  EXPECT_EQ(end_with(ExitCode::kOk, out), ExitCode::kOutputLost);
}

TEST(Output, WhatWasWrittenIsASuccess) {
  Output out(Terminal{.fd = open("/dev/null", O_WRONLY | O_CLOEXEC)});
  EXPECT_TRUE(out.write("a result"));
  EXPECT_EQ(end_with(ExitCode::kOk, out), ExitCode::kOk);
}

}  // namespace
}  // namespace fermata::cli
