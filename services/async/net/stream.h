// Stream: bytes to and from one peer. asyncio's StreamReader and StreamWriter, in one object.
//
//   Stream stream = co_await Try(connect(address));
//   co_await Try(stream.write("GET / HTTP/1.0\r\n\r\n"));
//   std::size_t n = co_await Try(stream.read_some(buffer));      // 0: the peer has finished
//
// Move-only; owns the connection and closes it when it goes. One type for TCP, Unix sockets, the
// pipes of a child process and simulated links: the address said which (address.h). There is no
// buffer in it: BufferedReader reads lines, and writing gives back-pressure by waiting.
//
// Each operation is a leaf: it tries, and waits where it is when the kernel says so, without a
// frame or an allocation (Try and timeout add one pooled frame). One reader and one writer at a
// time. The memory handed over must stay until the operation has ended; a string literal or a local
// will do.
#ifndef SERVICES_ASYNC_NET_STREAM_H_
#define SERVICES_ASYNC_NET_STREAM_H_

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/co.h"
#include "services/async/loop.h"
#include "services/async/net/transport.h"
#include "services/async/scope.h"

namespace fermata {
namespace detail {

// Moves bytes until enough were moved, the end, or an error.
class Transfer : public Suspension, protected IoWatch {
 public:
  bool await_ready() noexcept {
    Loop& loop = Loop::current();
    if (interest == Interest::kWrite && loop.batches_sends()) return false;
    return loop.spend_budget() && attempt();
  }
  template <class P>
  void await_suspend(std::coroutine_handle<P> frame,
                     std::uint32_t line = __builtin_LINE()) noexcept {
    frame.promise().line = line;
    if (park(untyped(frame))) begin();
  }

 protected:
  enum class Until : std::uint8_t { kSome, kAll };
  Transfer(Transport& transport, Interest interest, char* data, std::size_t size,
           Until until) noexcept
      : Suspension(&Transfer::stop),
        IoWatch(-1, interest, &Transfer::on_ready),
        transport_(&transport),
        data_(data),
        size_(size),
        until_(until) {}
  ~Transfer() { leave(); }

  absl::StatusOr<std::size_t> moved() const {
    if (error_ == 0) [[likely]]
      return done_;
    return failure();
  }
  absl::Status status() const { return error_ == 0 ? absl::OkStatus() : failure(); }

 private:
  bool attempt() noexcept;  // true: it is over
  void begin() noexcept;
  void go_on() noexcept;
  void sent_soon() noexcept;
  void leave() noexcept {
    if (std::exchange(waiting_, false)) transport_->stop_waiting(*this);
  }
  static void on_ready(IoWatch& watch) noexcept;
  static bool stop(Suspension& self) noexcept {
    static_cast<Transfer&>(self).leave();
    return true;
  }
  absl::Status failure() const;

  Transport* transport_;
  char* data_;
  std::size_t size_;
  std::size_t done_ = 0;
  int error_ = 0;
  Until until_;
  bool waiting_ = false;
};

}  // namespace detail

class Stream {
 public:
  // Holds nothing: only for being assigned to.
  Stream() noexcept = default;
  explicit Stream(std::unique_ptr<Transport> transport) noexcept
      : transport_(std::move(transport)) {}

  class [[nodiscard]] ReadSome final : public detail::Transfer {
   public:
    ReadSome(Transport& transport, std::span<char> into) noexcept
        : Transfer(transport, Interest::kRead, into.data(), into.size(), Until::kSome) {}
    absl::StatusOr<std::size_t> await_resume() const { return moved(); }
  };
  class [[nodiscard]] WriteSome final : public detail::Transfer {
   public:
    WriteSome(Transport& transport, std::string_view bytes) noexcept
        : Transfer(transport, Interest::kWrite, const_cast<char*>(bytes.data()), bytes.size(),
                   Until::kSome) {}
    absl::StatusOr<std::size_t> await_resume() const { return moved(); }
  };
  class [[nodiscard]] Write final : public detail::Transfer {
   public:
    Write(Transport& transport, std::string_view bytes) noexcept
        : Transfer(transport, Interest::kWrite, const_cast<char*>(bytes.data()), bytes.size(),
                   Until::kAll) {}
    absl::Status await_resume() const { return status(); }
  };

  // Wakes when at least one byte was read; 0 is the end (and all that an empty span can get).
  // On cancel: nothing was read. On shutdown: as cancelled.
  ReadSome read_some(std::span<char> into) noexcept { return ReadSome(transport(), into); }
  // Wakes when the kernel, or the link, has taken all. Unavailable: the peer is gone. On cancel: a
  // part of the bytes may have gone; the stream is good for nothing else. On shutdown: as
  // cancelled.
  Write write(std::string_view bytes) noexcept { return Write(transport(), bytes); }
  // Wakes when at least one byte was taken. On cancel: none was. On shutdown: as cancelled.
  WriteSome write_some(std::string_view bytes) noexcept { return WriteSome(transport(), bytes); }

  // The peer will read what was written, and then the end. Reading goes on.
  absl::Status shutdown_write();
  // Small writes leave at once. On by default for what connect() and accept() give.
  absl::Status set_no_delay(bool on);

  const Address& peer() const noexcept { return transport().peer(); }
  Address local() const { return transport().local(); }

  // Closes now instead of at the end of its life; nobody may be waiting.
  void close() noexcept { transport_.reset(); }
  explicit operator bool() const noexcept { return transport_ != nullptr; }

 private:
  Transport& transport() const noexcept {
    FERMATA_CHECK(transport_ != nullptr, "this Stream is closed, or was moved from");
    return *transport_;
  }
  std::unique_ptr<Transport> transport_;
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_NET_STREAM_H_
