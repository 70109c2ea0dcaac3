#include "services/stages/isolated/frame_channel.h"

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/stages/isolated/sealed_memory.h"

namespace fermata {
namespace {

constexpr size_t kBufferBytes = size_t{256} << 10;
static_assert(kBufferBytes > 2 * kFrameBytesMax, "a whole frame always fits behind another's rest");
constexpr size_t kBatchBytes = size_t{256} << 10;  // then the next one: a batch is freed when sent
constexpr size_t kBatchDescriptors = 16;
constexpr int kReadsPerTurn = 4;

using ControlBytes = std::array<char, CMSG_SPACE(sizeof(int) * FrameChannel::kDescriptorsMax)>;

}  // namespace

FrameChannel::FrameChannel(Loop& loop, int socket, FrameReader reader, uint64_t payload_max,
                           Sink& sink, int64_t busy_poll_ns)
    : loop_(loop),
      socket_(socket),
      payload_max_(payload_max),
      sink_(sink),
      pace_(busy_poll_ns),
      decoder_(reader),
      in_(std::make_unique<char[]>(kBufferBytes)),
      flush_(*this, [](Timer& timer) noexcept { static_cast<Job&>(timer).channel.flush(); }),
      receive_(*this, [](Timer& timer) noexcept { static_cast<Job&>(timer).channel.receive(); }),
      writable_(*this, IoWatch::Interest::kWrite,
                [](IoWatch& watch) noexcept {
                  static_cast<Watch&>(watch).waiting = false;
                  static_cast<Watch&>(watch).channel.flush();
                }),
      readable_(*this, IoWatch::Interest::kRead, [](IoWatch& watch) noexcept {
        static_cast<Watch&>(watch).waiting = false;
        static_cast<Watch&>(watch).channel.receive();
      }) {}

FrameChannel::~FrameChannel() { close(); }

void FrameChannel::open() { queue(receive_); }

void FrameChannel::close() noexcept {
  if (!std::exchange(open_, false)) return;
  for (Job* job : {&flush_, &receive_}) {
    if (job->armed()) job->disarm();
  }
  for (Watch* watch : {&writable_, &readable_}) {
    if (std::exchange(watch->waiting, false)) loop_.unwatch(*watch);
  }
  socket_.close();
  out_.clear();
  received_.clear();
  unsent_ = 0;
}

void FrameChannel::fail(absl::Status why) noexcept {
  if (!open_) return;
  close();
  sink_.on_closed(why);
}

void FrameChannel::queue(Job& job) noexcept {
  if (!job.armed()) loop_.timers().arm(job, loop_.now_ns());
}

void FrameChannel::wait_for(Watch& watch, Job& job) noexcept {
  if (watch.waiting) return;
  const int error = socket_.watch(watch);
  if (error == 0) {
    watch.waiting = true;
  } else if (error == EALREADY) {
    queue(job);
  } else {
    fail(absl::InternalError(absl::StrCat("watching a socket: ", std::strerror(error))));
  }
}

// ---- sending ----------------------------------------------------------------------------------

FrameChannel::Batch& FrameChannel::batch_for(bool descriptor) {
  const bool begun = out_.size() == 1 && sent_of_first_ > 0;
  const bool room = !out_.empty() && out_.back().bytes.size() < kBatchBytes &&
                    (!descriptor || (!begun && out_.back().descriptors.size() < kBatchDescriptors));
  return room ? out_.back() : out_.emplace_back();
}

void FrameChannel::send(FrameType type, uint64_t call, std::string_view payload) {
  if (!open_) return;
  FrameHeader header;
  header.type = type;
  header.call = call;
  header.sequence = sequence_++;
  if (payload.size() <= kInlineMax) {
    header.length = static_cast<uint32_t>(payload.size());
    Batch& batch = batch_for(false);
    encode_header(header, batch.bytes);
    batch.bytes.append(payload);
    unsent_ += kFrameHeaderBytes + payload.size();
  } else {
    absl::StatusOr<FileDescriptor> memory = seal_bytes(payload);
    if (!memory.ok()) {
      // Nothing can be said about it on a channel that has lost a frame.
      if (broken_.ok()) broken_ = memory.status();
    } else {
      const uint64_t size = payload.size();
      header.length = sizeof size;
      header.flags = kFrameInMemfd;
      header.descriptors = 1;
      Batch& batch = batch_for(true);
      encode_header(header, batch.bytes);
      batch.bytes.append(reinterpret_cast<const char*>(&size), sizeof size);
      batch.descriptors.push_back(*std::move(memory));
      batch.memfd_bytes += payload.size();
      unsent_ += kFrameHeaderBytes + sizeof size + payload.size();
    }
  }
  if (unsent_ > kUnsentMax && broken_.ok()) {
    broken_ = absl::ResourceExhaustedError(absl::StrCat(
        "more than ", kUnsentMax, " bytes wait for a process that does not read them"));
  }
  if (!writable_.waiting || !broken_.ok()) queue(flush_);
}

void FrameChannel::flush() noexcept {
  if (!broken_.ok()) return fail(broken_);
  while (!out_.empty()) {
    Batch& batch = out_.front();
    iovec bytes = {batch.bytes.data() + sent_of_first_, batch.bytes.size() - sent_of_first_};
    msghdr message = {};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    alignas(cmsghdr) ControlBytes control = {};
    if (!batch.descriptors.empty()) {
      message.msg_control = control.data();
      message.msg_controllen = CMSG_SPACE(sizeof(int) * batch.descriptors.size());
      cmsghdr* const rights = CMSG_FIRSTHDR(&message);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(sizeof(int) * batch.descriptors.size());
      for (size_t i = 0; i < batch.descriptors.size(); ++i) {
        const int fd = batch.descriptors[i].get();
        std::memcpy(CMSG_DATA(rights) + i * sizeof fd, &fd, sizeof fd);
      }
    }
    socket_.clear_news(IoWatch::Interest::kWrite);
    const ssize_t sent = ::sendmsg(socket_.fd(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) {
      wait_for(writable_, flush_);
      return;
    }
    if (sent < 0) {
      fail(absl::UnavailableError(absl::StrCat("sending: ", std::strerror(errno))));
      return;
    }
    ++batches_;
    batch.descriptors.clear();  // they go with the first byte
    unsent_ -= static_cast<size_t>(sent) + std::exchange(batch.memfd_bytes, 0);
    sent_of_first_ += static_cast<size_t>(sent);
    if (sent_of_first_ < batch.bytes.size()) {
      wait_for(writable_, flush_);
      return;
    }
    sent_of_first_ = 0;
    out_.pop_front();
  }
  if (const int64_t look_ns = pace_.sent(loop_.now_ns()); look_ns > 0) loop_.busy_poll(look_ns);
}

// ---- receiving --------------------------------------------------------------------------------

void FrameChannel::receive() noexcept {
  for (int i = 0; i < kReadsPerTurn; ++i) {
    if (undelivered_ ? !deliver() : !receive_once()) break;
  }
  if (open_ && !readable_.waiting) queue(receive_);
}

void FrameChannel::drain() {
  int there = 0;
  if (!open_ || ::ioctl(socket_.fd(), FIONREAD, &there) != 0) return;
  const uint64_t end = received_bytes_ + static_cast<uint64_t>(there);
  const uint64_t most = received_large_ + kDrainedMax;
  while (open_ && received_large_ <= most && (undelivered_ || received_bytes_ < end)) {
    if (undelivered_ ? !deliver() && !undelivered_ : !receive_once() && !undelivered_) return;
  }
}

bool FrameChannel::receive_once() noexcept {
  iovec bytes = {in_.get() + in_end_, kBufferBytes - in_end_};
  alignas(cmsghdr) ControlBytes control;
  msghdr message = {};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  socket_.clear_news(IoWatch::Interest::kRead);
  const ssize_t got = ::recvmsg(socket_.fd(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (got < 0 && errno == EINTR) return true;
  if (got < 0 && errno == EAGAIN) {
    wait_for(readable_, receive_);
    return false;
  }
  if (got <= 0) {
    const std::string why = got == 0 ? "the other end was closed" : std::strerror(errno);
    fail(absl::UnavailableError(
        absl::StrCat(why, in_begin_ == in_end_ ? "" : ", in the middle of a frame")));
    return false;
  }
  if (!take_descriptors(message)) return false;
  const bool filled = static_cast<size_t>(got) == bytes.iov_len;
  in_end_ += static_cast<size_t>(got);
  received_bytes_ += static_cast<size_t>(got);
  pace_.received(loop_.now_ns());
  if (!deliver()) return false;
  if (filled || message.msg_controllen > 0) return true;  // descriptors end a read early
  wait_for(readable_, receive_);
  return false;
}

bool FrameChannel::take_descriptors(msghdr& message) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
      received_.emplace_back(fd);
    }
  }
  if ((message.msg_flags & MSG_CTRUNC) == 0 && received_.size() <= kDescriptorsMax) return true;
  if (received_.size() <= kDescriptorsMax) {
    fail(absl::ResourceExhaustedError(
        "a payload's memory did not fit into this process's table of open files: raise ulimit -n"));
  } else {
    fail(absl::InvalidArgumentError(
        absl::StrCat("descriptors without frames: more than ", kDescriptorsMax)));
  }
  return false;
}

bool FrameChannel::deliver() noexcept {
  undelivered_ = false;
  const uint64_t large = received_large_;
  while (open_ && received_large_ == large) {
    absl::StatusOr<FrameDecoder::Decoded> decoded =
        decoder_.next(std::string_view(in_.get() + in_begin_, in_end_ - in_begin_));
    if (!decoded.ok()) {
      fail(decoded.status());
      return false;
    }
    if (decoded->bytes == 0) {
      // What is left is less than a frame.
      std::memmove(in_.get(), in_.get() + in_begin_, in_end_ - in_begin_);
      in_end_ -= std::exchange(in_begin_, 0);
      return true;
    }
    in_begin_ += decoded->bytes;
    if (!deliver_one(*decoded)) return false;
  }
  undelivered_ = open_;
  return false;
}

bool FrameChannel::deliver_one(const FrameDecoder::Decoded& decoded) noexcept {
  const FrameHeader& header = decoded.header;
  if (!header.in_memfd()) {
    const Frame frame = {header.type, header.call, decoded.payload};
    sink_.on_frame(frame);
    return open_;
  }
  if (received_.empty()) {
    fail(absl::InvalidArgumentError("bad frame: its memory did not come with it"));
    return false;
  }
  const FileDescriptor memory = std::move(received_.front());
  received_.pop_front();
  uint64_t size = 0;
  std::memcpy(&size, decoded.payload.data(), sizeof size);
  const absl::StatusOr<std::string> bytes = read_sealed(memory.get(), size, payload_max_);
  if (!bytes.ok()) {
    fail(bytes.status());
    return false;
  }
  received_large_ += size;
  const Frame frame = {header.type, header.call, *bytes};
  sink_.on_frame(frame);
  return open_;
}

}  // namespace fermata
