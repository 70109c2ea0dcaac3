// Two ends of a socket pair on one loop: batches, large payloads, and an end that is hostile.
#include "services/stages/isolated/frame_channel.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "services/stages/isolated/sealed_memory.h"

namespace fermata {
namespace {

constexpr uint64_t kPayloadMax = 1 << 20;

struct Heard final : FrameChannel::Sink {
  void on_frame(const Frame& frame) noexcept override {
    frames.emplace_back(frame.payload);
    event.set();
  }
  void on_closed(const absl::Status& why) noexcept override {
    closed = why;
    event.set();
  }
  std::vector<std::string> frames;
  absl::Status closed;
  Event event;
};

Co<void> until_frames(Heard* heard, size_t count) {
  while (heard->frames.size() < count && heard->closed.ok()) {
    heard->event.clear();
    co_await heard->event.wait();
  }
}

Co<void> until_closed(Heard* heard) {
  while (heard->closed.ok()) {
    heard->event.clear();
    co_await heard->event.wait();
  }
}

// Sends bytes, with a descriptor beside them if there is one.
void send(int socket, const std::string& bytes, int descriptor = -1) {
  iovec part = {const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (descriptor >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(rights), &descriptor, sizeof descriptor);
  }
  EXPECT_EQ(::sendmsg(socket, &message, 0), static_cast<ssize_t>(bytes.size()));
}

// The server's end as a channel, the process's end as a bare socket.
struct Ends {
  explicit Ends(Loop& loop) {
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    channel.emplace(loop, fds[0], FrameReader::kServer, kPayloadMax, heard);
    channel->open();
  }
  ~Ends() {
    if (fds[1] >= 0) ::close(fds[1]);
  }
  int take_raw() { return std::exchange(fds[1], -1); }

  void write(const std::string& bytes, int descriptor = -1) { send(fds[1], bytes, descriptor); }

  int fds[2] = {-1, -1};
  Heard heard;
  std::optional<FrameChannel> channel;
};

std::string memfd_frame(uint64_t size, uint32_t sequence = 0) {
  FrameHeader header;
  header.sequence = sequence;
  header.type = FrameType::kEmit;
  header.flags = kFrameInMemfd;
  header.descriptors = 1;
  header.length = sizeof size;
  std::string bytes;
  encode_header(header, bytes);
  bytes.append(reinterpret_cast<const char*>(&size), sizeof size);
  return bytes;
}

template <class Body>
void on_loop(Body body) {
  EpollLoop loop;
  Loop* base = &loop;
  const absl::Status status = loop.run(body, base);
  EXPECT_TRUE(status.ok()) << status;
}

TEST(FrameChannel, EverythingQueuedInATurnIsOneSystemCall) {
  on_loop([](Loop* loop) -> Co<absl::Status> {
    Ends ends(*loop);
    Heard process;
    FrameChannel other(*loop, ends.take_raw(), FrameReader::kProcess, kPayloadMax, process);
    other.open();
    for (int i = 0; i < 100; ++i) {
      ends.channel->send(FrameType::kCancel, static_cast<uint64_t>(i), std::to_string(i));
    }
    co_await until_frames(&process, 100);
    EXPECT_EQ(process.frames.size(), 100u);
    if (process.frames.size() == 100) {
      EXPECT_EQ(process.frames[99], "99");
    }
    EXPECT_EQ(ends.channel->sent_batches(), 1u);
    co_return absl::OkStatus();
  });
}

TEST(FrameChannel, LargeAndSmallPayloadsKeepTheirOrder) {
  on_loop([](Loop* loop) -> Co<absl::Status> {
    Ends ends(*loop);
    Heard process;
    FrameChannel other(*loop, ends.take_raw(), FrameReader::kProcess, kPayloadMax, process);
    other.open();
    for (int i = 0; i < 60; ++i) {  // more descriptors than fit into one message
      const size_t size = i % 2 == 0 ? size_t{100000} : size_t{10};
      ends.channel->send(FrameType::kStart, 1, std::string(size, static_cast<char>('a' + i % 26)));
    }
    co_await until_frames(&process, 60);
    EXPECT_EQ(process.frames.size(), 60u);
    for (size_t i = 0; i < process.frames.size(); ++i) {
      EXPECT_EQ(process.frames[i].size(), i % 2 == 0 ? 100000u : 10u) << i;
      EXPECT_EQ(process.frames[i][0], static_cast<char>('a' + i % 26)) << i;
    }
    co_return absl::OkStatus();
  });
}

TEST(FrameChannel, MoreThanTheSocketHoldsArrivesAll) {
  on_loop([](Loop* loop) -> Co<absl::Status> {
    Ends ends(*loop);
    Heard process;
    FrameChannel other(*loop, ends.take_raw(), FrameReader::kProcess, kPayloadMax, process);
    for (int i = 0; i < 500; ++i) {
      ends.channel->send(FrameType::kStart, 1, std::string(kInlineMax, 'x'));
    }
    co_await yield_now();
    other.open();  // nobody read until now
    co_await until_frames(&process, 500);
    EXPECT_EQ(process.frames.size(), 500u);
    EXPECT_EQ(ends.channel->unsent_bytes(), 0u);
    co_return absl::OkStatus();
  });
}

TEST(FrameChannel, TheOtherEndsEndIsHeardOnce) {
  on_loop([](Loop* loop) -> Co<absl::Status> {
    Ends ends(*loop);
    ::close(ends.take_raw());
    co_await until_closed(&ends.heard);
    EXPECT_EQ(ends.heard.closed.code(), absl::StatusCode::kUnavailable);
    EXPECT_FALSE(ends.channel->is_open());
    co_return absl::OkStatus();
  });
}

TEST(FrameChannel, GarbageEndsIt) {
  on_loop([](Loop* loop) -> Co<absl::Status> {
    Ends ends(*loop);
    ends.write(std::string(100, 'z'));
    co_await until_closed(&ends.heard);
    EXPECT_EQ(ends.heard.closed.code(), absl::StatusCode::kInvalidArgument);
    co_return absl::OkStatus();
  });
}

TEST(FrameChannel, MemoryThatIsNotSealedIsNotRead) {
  on_loop([](Loop* loop) -> Co<absl::Status> {
    Ends ends(*loop);
    const FileDescriptor memory(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    EXPECT_EQ(::ftruncate(memory.get(), 100), 0);
    EXPECT_EQ(::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_WRITE), 0);  // may shrink
    ends.write(memfd_frame(100), memory.get());
    co_await until_closed(&ends.heard);
    EXPECT_EQ(ends.heard.closed.message().substr(0, 30), "a payload's memory has seals 1");
    EXPECT_TRUE(ends.heard.frames.empty());
    co_return absl::OkStatus();
  });
}

TEST(FrameChannel, MemoryOfAnotherSizeOrTooLargeIsNotRead) {
  on_loop([](Loop* loop) -> Co<absl::Status> {
    Ends ends(*loop);
    const absl::StatusOr<FileDescriptor> memory = seal_bytes("12345");
    ends.write(memfd_frame(6), memory->get());
    co_await until_closed(&ends.heard);
    EXPECT_EQ(ends.heard.closed.message(), "a payload's memory has 5 bytes, its frame says 6");
    Ends more(*loop);
    const absl::StatusOr<FileDescriptor> large = seal_bytes(std::string(kPayloadMax + 1, 'x'));
    more.write(memfd_frame(kPayloadMax + 1), large->get());
    co_await until_closed(&more.heard);
    EXPECT_EQ(more.heard.closed.message(), "a payload of 1048577 bytes, at most 1048576");
    co_return absl::OkStatus();
  });
}

TEST(FrameChannel, AFileIsNoMemory) {
  on_loop([](Loop* loop) -> Co<absl::Status> {
    Ends ends(*loop);
    const FileDescriptor file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    ends.write(memfd_frame(0), file.get());
    co_await until_closed(&ends.heard);
    EXPECT_EQ(ends.heard.closed.code(), absl::StatusCode::kInvalidArgument);
    co_return absl::OkStatus();
  });
}

TEST(FrameChannel, AFrameWhoseMemoryDoesNotComeEndsIt) {
  on_loop([](Loop* loop) -> Co<absl::Status> {
    Ends ends(*loop);
    ends.write(memfd_frame(5));
    co_await until_closed(&ends.heard);
    EXPECT_EQ(ends.heard.closed.message(), "bad frame: its memory did not come with it");
    co_return absl::OkStatus();
  });
}

TEST(FrameChannel, DescriptorsWithoutFramesAreBounded) {
  on_loop([](Loop* loop) -> Co<absl::Status> {
    Ends ends(*loop);
    const FileDescriptor file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    FrameHeader header;
    header.type = FrameType::kPong;
    for (uint32_t i = 0; i <= FrameChannel::kDescriptorsMax; ++i) {
      std::string bytes;
      header.sequence = i;
      encode_header(header, bytes);
      ends.write(bytes, file.get());
    }
    co_await until_closed(&ends.heard);
    EXPECT_EQ(ends.heard.closed.message(), "descriptors without frames: more than 64");
    co_return absl::OkStatus();
  });
}

// ---- a peer that never stops ------------------------------------------------------------------

std::string pong(uint32_t sequence) {
  FrameHeader header;
  header.type = FrameType::kPong;
  header.sequence = sequence;
  std::string bytes;
  encode_header(header, bytes);
  return bytes;
}

// Answers whatever it hears with one payload more.
struct Endless final : FrameChannel::Sink {
  void on_frame(const Frame&) noexcept override { say(++heard); }
  void on_closed(const absl::Status& why) noexcept override { ADD_FAILURE() << why; }
  void say(uint32_t sequence) const {
    const absl::StatusOr<FileDescriptor> memory = seal_bytes("12345");
    send(peer, memfd_frame(5, sequence), memory->get());
  }
  uint32_t heard = 0;
  int peer = -1;
};

// The process is dead, but a child of it holds the socket and goes on.
TEST(FrameChannel, WhatComesWhileItIsDrainedIsNotWaitedFor) {
  on_loop([](Loop* loop) -> Co<absl::Status> {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    Endless sink;
    sink.peer = fds[1];
    FrameChannel channel(*loop, fds[0], FrameReader::kServer, kPayloadMax, sink);
    sink.say(0);
    channel.drain();
    EXPECT_EQ(sink.heard, 1u);
    channel.close();
    ::close(fds[1]);
    co_return absl::OkStatus();
  });
}

TEST(FrameChannel, AllThatWasThereIsDrained) {
  on_loop([](Loop* loop) -> Co<absl::Status> {
    Ends ends(*loop);
    const std::string text(100'000, 'x');
    for (uint32_t i = 0; i < 20; ++i) {
      const absl::StatusOr<FileDescriptor> memory = seal_bytes(text);
      ends.write(memfd_frame(text.size(), 2 * i), memory->get());
      ends.write(pong(2 * i + 1));
    }
    ends.channel->drain();
    EXPECT_EQ(ends.heard.frames.size(), 40u);
    EXPECT_TRUE(ends.heard.closed.ok()) << ends.heard.closed;
    co_return absl::OkStatus();
  });
}

struct Turns final : FrameChannel::Sink {
  void on_frame(const Frame&) noexcept override { turns.push_back(Loop::current().stats().turns); }
  void on_closed(const absl::Status& why) noexcept override { ADD_FAILURE() << why; }
  std::vector<uint64_t> turns;
};

// To copy one takes long enough; others wait for the loop.
TEST(FrameChannel, OneLargePayloadIsEnoughForATurn) {
  on_loop([](Loop* loop) -> Co<absl::Status> {
    Ends ends(*loop);
    Turns turns;
    FrameChannel other(*loop, ends.take_raw(), FrameReader::kProcess, kPayloadMax, turns);
    for (int i = 0; i < 8; ++i) {
      ends.channel->send(FrameType::kStart, 1, std::string(kPayloadMax, 'x'));
    }
    co_await yield_now();
    other.open();
    while (turns.turns.size() < 8) co_await yield_now();
    for (size_t i = 1; i < turns.turns.size(); ++i) {
      EXPECT_GT(turns.turns[i], turns.turns[i - 1]) << i;
    }
    co_return absl::OkStatus();
  });
}

TEST(FrameChannel, MemoryForAFrameThatNeedsNoneIsRefusedUnread) {
  on_loop([](Loop* loop) -> Co<absl::Status> {
    Ends ends(*loop);
    std::string bytes = memfd_frame(5);
    const auto type = static_cast<uint16_t>(FrameType::kPong);
    std::memcpy(bytes.data() + sizeof(uint32_t), &type, sizeof type);
    const absl::StatusOr<FileDescriptor> memory = seal_bytes("12345");
    ends.write(bytes, memory->get());
    co_await until_closed(&ends.heard);
    EXPECT_EQ(ends.heard.closed.message(),
              "bad frame: type 17 has no payload that would need a memfd");
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata
