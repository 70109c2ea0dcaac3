// Transport and Acceptor: what a Stream and a Listener stand on. Never waiting themselves, they
// try, and say when trying again is worth it; all that suspends is in stream.h and listener.h.
//
//   Stream ── Transport ─┬─ a socket          (socket.cc)
//                        ├─ a pipe            (process/pipe.cc)
//                        └─ a simulated link  (sim_network.cc)
//
// Owned by its Stream or Listener; loop thread only. A virtual call costs 2 ns, a system call
// behind it 300 or more, and with it every program runs unchanged on a network that drops, delays
// and cuts.
#ifndef SERVICES_ASYNC_NET_TRANSPORT_H_
#define SERVICES_ASYNC_NET_TRANSPORT_H_

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "services/async/check.h"
#include "services/async/loop.h"
#include "services/async/net/address.h"

namespace fermata {

// Something that is ready to be read from or written to now and then. One waiter a direction.
class Waitable {
 public:
  Waitable() = default;
  Waitable(const Waitable&) = delete;
  Waitable& operator=(const Waitable&) = delete;
  virtual ~Waitable() {
    FERMATA_CHECK(!reading_, "a stream or listener was destroyed while a coroutine waits for it");
    FERMATA_CHECK(!writing_, "a stream was destroyed while a coroutine writes to it");
  }

  // watch.fired is called once, when it is worth trying again, unless stop_waiting() comes first.
  // Returns 0, or an errno, and nothing is waited for: EALREADY if it is worth trying at once.
  int start_waiting(IoWatch& watch) noexcept {
    bool& waiting = direction(watch);
    FERMATA_CHECK(!waiting, "a stream has one reader and one writer at a time");
    const int error = watch_ready(watch);
    waiting = error == 0;
    return error;
  }
  // watch.fired is called once, with what the kernel has taken, unless stop_waiting() comes first.
  // False: nothing has begun; try_send() is the way.
  bool start_sending(IoWatch& watch, std::string_view bytes) noexcept {
    FERMATA_CHECK(!writing_, "a stream has one reader and one writer at a time");
    writing_ = send_soon(watch, bytes);
    return writing_;
  }
  // The waiter says so when it has been called back.
  void waiting_over(const IoWatch& watch) noexcept { direction(watch) = false; }
  void stop_waiting(IoWatch& watch) noexcept {
    direction(watch) = false;
    unwatch_ready(watch);
  }

 protected:
  // Loop::send_soon() for what is below.
  virtual bool send_soon(IoWatch& /*watch*/, std::string_view /*bytes*/) noexcept { return false; }
  virtual int watch_ready(IoWatch& watch) noexcept = 0;
  virtual void unwatch_ready(IoWatch& watch) noexcept = 0;

 private:
  bool& direction(const IoWatch& watch) noexcept {
    return watch.interest == IoWatch::Interest::kRead ? reading_ : writing_;
  }
  bool reading_ = false;
  bool writing_ = false;
};

class Transport : public Waitable {
 public:
  // How many bytes were moved, or -errno; -EAGAIN means: wait, then try again. Nothing is asked to
  // move 0 bytes; 0 received is the end of the stream.
  virtual std::ptrdiff_t try_recv(std::span<char> into) noexcept = 0;
  virtual std::ptrdiff_t try_send(std::string_view bytes) noexcept = 0;
  // The peer reads to the end. 0 or an errno.
  virtual int shutdown_write() noexcept = 0;
  // TCP_NODELAY, where there is such a thing. 0 or an errno.
  virtual int set_no_delay(bool on) noexcept { return 0; }
  virtual const Address& peer() const noexcept = 0;
  virtual Address local() const = 0;
};

class Acceptor : public Waitable {
 public:
  // 0, and the connection; or an errno. EAGAIN: nobody is there, wait.
  virtual int try_accept(std::unique_ptr<Transport>& accepted) noexcept = 0;
  virtual const Address& local() const noexcept = 0;
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_NET_TRANSPORT_H_
