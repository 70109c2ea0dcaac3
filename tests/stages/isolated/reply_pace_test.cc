// When the two ends of a channel look for each other's answers, and that the channel's loop does.
#include "services/stages/isolated/reply_pace.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "services/stages/isolated/frame_channel.h"

namespace fermata {
namespace {

constexpr int64_t kLookNs = 100'000;
constexpr int64_t kQuick = ReplyPace::kQuickNs;

// One after the other; what the next sent() says.
int64_t after_answers(ReplyPace& pace, const std::vector<int64_t>& waits_ns) {
  int64_t now_ns = 0;
  for (const int64_t wait_ns : waits_ns) {
    pace.sent(now_ns);
    now_ns += wait_ns;
    pace.received(now_ns);
    now_ns += 1'000'000'000;  // a pause between two calls is nobody's slowness
  }
  return pace.sent(now_ns);
}

TEST(ReplyPace, LooksAfterThreeQuickAnswersInARow) {
  for (const auto& [waits_ns, look_ns] :
       std::vector<std::pair<std::vector<int64_t>, int64_t>>{{{}, 0},
                                                             {{0, 0}, 0},
                                                             {{kQuick, kQuick, kQuick}, kLookNs},
                                                             {{0, 0, 0, 0, 0, 0}, kLookNs},
                                                             {{0, 0, kQuick + 1}, 0},
                                                             {{0, 0, 0, 0, kQuick + 1}, 0},
                                                             {{kQuick + 1, 0, 0}, 0},
                                                             {{kQuick + 1, 0, 0, 0}, kLookNs}}) {
    ReplyPace pace(kLookNs);
    EXPECT_EQ(after_answers(pace, waits_ns), look_ns) << ::testing::PrintToString(waits_ns);
  }
}

TEST(ReplyPace, NeverWhereItIsNotWanted) {
  ReplyPace pace(0);
  EXPECT_EQ(after_answers(pace, {0, 0, 0, 0, 0}), 0);
}

// A stream of chunks is no row of answers, and what comes by itself answers nothing.
TEST(ReplyPace, OnlyTheFirstThatComesAnswers) {
  ReplyPace pace(kLookNs);
  pace.received(0);
  pace.sent(0);
  for (int i = 0; i < 10; ++i) pace.received(1);
  EXPECT_EQ(pace.sent(2), 0);
}

// Of several that are sent, the last is the one that is answered: the others may take long.
TEST(ReplyPace, MeasuresFromWhatWasSentLast) {
  ReplyPace pace(kLookNs);
  int64_t now_ns = 0;
  for (int i = 0; i < 3; ++i) {
    pace.sent(now_ns);
    now_ns += 10 * kQuick;
    pace.sent(now_ns);
    pace.received(now_ns + 1);
  }
  EXPECT_EQ(pace.sent(now_ns), kLookNs);
}

// ---- the channel ------------------------------------------------------------------------------

struct Answers final : FrameChannel::Sink {
  void on_frame(const Frame&) noexcept override { came.set(); }
  void on_closed(const absl::Status& why) noexcept override {
    EXPECT_TRUE(why.ok()) << why;
    came.set();
  }
  Event came;
};

// Answers each PING with a PONG until the other end is closed.
void answer_pings(int fd) {
  char bytes[kFrameHeaderBytes];
  FrameHeader header;
  header.type = FrameType::kPong;
  while (::recv(fd, bytes, sizeof bytes, MSG_WAITALL) == sizeof bytes) {
    std::string pong;
    encode_header(header, pong);
    ++header.sequence;
    EXPECT_EQ(::send(fd, pong.data(), pong.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(pong.size()));
  }
}

Co<absl::Status> ask(int fd, int64_t busy_poll_ns, bool until_found, int most) {
  Loop& loop = Loop::current();
  Answers answers;
  FrameChannel channel(loop, fd, FrameReader::kServer, 0, answers, busy_poll_ns);
  channel.open();
  for (int i = 0; i < most || until_found; ++i) {
    const uint64_t wakeups = loop.stats().wakeups;
    answers.came.clear();
    channel.send(FrameType::kPing, 0);
    co_await answers.came.wait();
    if (until_found && loop.stats().busy_poll_ns > 0 && loop.stats().wakeups == wakeups) break;
  }
  co_return absl::OkStatus();
}

LoopStats stats_of_asking(int64_t busy_poll_ns, bool until_found, int most) {
  int fds[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  EXPECT_EQ(::fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
  std::thread other(answer_pings, fds[1]);
  EpollLoop loop;
  const absl::Status status = loop.run(ask, fds[0], busy_poll_ns, until_found, most);
  EXPECT_TRUE(status.ok()) << status;
  other.join();
  ::close(fds[1]);
  return loop.stats();
}

// Sooner or later, on any machine with two CPUs, three answers in a row are quick.
TEST(ReplyPace, TheChannelsLoopFindsAQuickAnswerWithoutSleeping) {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  ASSERT_EQ(::sched_getaffinity(0, sizeof cpus, &cpus), 0);
  const bool others = CPU_COUNT(&cpus) > 1;
  const LoopStats stats = stats_of_asking(kLookNs, /*until_found=*/others, 1000);
  EXPECT_EQ(stats.busy_poll_ns > 0, others);
}

TEST(ReplyPace, AChannelThatIsNotAskedToSleepsAtOnce) {
  EXPECT_EQ(stats_of_asking(0, false, 1000).busy_poll_ns, 0);
}

}  // namespace
}  // namespace fermata
