// FrameChannel: frames over one Unix stream socket, from one loop.
//
// Sending only queues: everything queued in a turn goes out in one system call, which is what makes
// a thousand small frames cheap. Receiving hands frames over one by one, straight from the buffer.
// Large payloads travel as sealed memfds without the user noticing.
//
// Both queues are bounded: a peer that does not read, or that sends descriptors without frames, is
// a failed channel. Owned by whoever talks; must not be destroyed from inside a Sink call. Loop
// thread only, inside run().
#ifndef SERVICES_STAGES_ISOLATED_FRAME_CHANNEL_H_
#define SERVICES_STAGES_ISOLATED_FRAME_CHANNEL_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "services/async/descriptor.h"
#include "services/async/loop.h"
#include "services/stages/file_descriptor.h"
#include "services/stages/isolated/frame.h"
#include "services/stages/isolated/reply_pace.h"

struct msghdr;

namespace fermata {

struct Frame {
  FrameType type;
  uint64_t call;
  std::string_view payload;  // valid until on_frame() returns
};

class FrameChannel {
 public:
  // Bytes that wait for a peer that does not read, those in memfds included.
  static constexpr size_t kUnsentMax = size_t{256} << 20;
  static constexpr size_t kDescriptorsMax = 64;  // received, their frame not yet
  static constexpr size_t kDrainedMax = size_t{64} << 20;

  class Sink {
   public:
    virtual void on_frame(const Frame& frame) noexcept = 0;
    // Once, when the channel has failed or the peer has closed it (Unavailable); not after close().
    virtual void on_closed(const absl::Status& why) noexcept = 0;

   protected:
    ~Sink() = default;
  };

  // Takes `socket` over: a non-blocking SOCK_STREAM. `payload_max` bounds what is received. For
  // `busy_poll_ns` at most the loop looks for an answer before it sleeps, see ReplyPace.
  FrameChannel(Loop& loop, int socket, FrameReader reader, uint64_t payload_max, Sink& sink,
               int64_t busy_poll_ns = 0);
  FrameChannel(const FrameChannel&) = delete;
  FrameChannel& operator=(const FrameChannel&) = delete;
  ~FrameChannel();

  // Begins to receive.
  void open();
  // Delivers what is there now, and nothing that comes meanwhile: the peer has ended, but whoever
  // got the socket from it may go on. At most kDrainedMax bytes of large payloads. May end with
  // on_closed().
  void drain();
  // Nothing is sent or heard afterwards; what is queued is dropped.
  void close() noexcept;
  bool is_open() const noexcept { return open_; }

  // Queued until the turn's end; does nothing once closed.
  void send(FrameType type, uint64_t call, std::string_view payload = {});
  size_t unsent_bytes() const noexcept { return unsent_; }
  uint64_t sent_batches() const noexcept { return batches_; }

 private:
  // What one system call sends: its descriptors go with its first byte.
  struct Batch {
    std::string bytes;
    std::vector<FileDescriptor> descriptors;
    size_t memfd_bytes = 0;
  };
  // A timer that is due at once: fires when the steps of this turn have run, and can be taken back.
  struct Job : Timer {
    Job(FrameChannel& channel, Fire fire) noexcept : Timer(fire), channel(channel) {}
    FrameChannel& channel;
  };
  struct Watch : IoWatch {
    Watch(FrameChannel& channel, Interest interest, Fired fired) noexcept
        : IoWatch(-1, interest, fired), channel(channel) {}
    FrameChannel& channel;
    bool waiting = false;
  };

  Batch& batch_for(bool descriptor);
  void queue(Job& job) noexcept;
  // For readiness; or runs the job again, when the loop remembers some.
  void wait_for(Watch& watch, Job& job) noexcept;
  void flush() noexcept;
  void receive() noexcept;
  bool receive_once() noexcept;  // false: no more for now, or closed
  bool take_descriptors(::msghdr& message);
  bool deliver() noexcept;  // false: closed, or a large payload is enough for one turn
  bool deliver_one(const FrameDecoder::Decoded& decoded) noexcept;
  void fail(absl::Status why) noexcept;

  Loop& loop_;
  Descriptor socket_;
  const uint64_t payload_max_;
  Sink& sink_;
  bool open_ = true;

  std::deque<Batch> out_;
  size_t sent_of_first_ = 0;
  size_t unsent_ = 0;
  uint32_t sequence_ = 0;
  uint64_t batches_ = 0;
  absl::Status broken_;  // why nothing can be sent any more; told by flush()
  ReplyPace pace_;

  FrameDecoder decoder_;
  std::unique_ptr<char[]> in_;
  size_t in_begin_ = 0;
  size_t in_end_ = 0;
  bool undelivered_ = false;  // there may be a whole frame in it
  uint64_t received_bytes_ = 0;
  uint64_t received_large_ = 0;  // of payloads in memfds
  std::deque<FileDescriptor> received_;

  Job flush_;
  Job receive_;
  Watch writable_;
  Watch readable_;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_ISOLATED_FRAME_CHANNEL_H_
