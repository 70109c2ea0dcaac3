// Listener: gives the connections that peers make to an address. asyncio.start_server, without the
// callback: who accepts decides when, and which group the connection's task belongs to.
//
//   Listener listener = co_await Try(listen(address));              // see network.h
//   for (;;) {
//     Stream peer = co_await Try(listener.accept());
//     group.spawn_named("conn", serve, std::move(peer));
//   }
//
// Move-only; closes its socket, and removes the file of a Unix socket, when it goes. What goes
// wrong with one connection (it was reset before it was accepted, and the like) is no error of
// accept(): the next one is taken. Out of descriptors or memory, accept() waits kBackOff and tries
// again: the peers wait in the kernel's backlog, this loop does not spin, and connections that end
// meanwhile make room. An error from accept() is thus final.
#ifndef SERVICES_ASYNC_NET_LISTENER_H_
#define SERVICES_ASYNC_NET_LISTENER_H_

#include <coroutine>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/async/co.h"
#include "services/async/loop.h"
#include "services/async/net/stream.h"
#include "services/async/net/transport.h"
#include "services/async/scope.h"

namespace fermata {

struct ListenOptions {
  ListenOptions() {}
  // Connections that the kernel keeps until accept() takes them. More are refused, or try later.
  int backlog = 1024;
  // Takes a port over from connections of a former process that are still closing.
  bool reuse_address = true;
  // Several listeners, of several processes, share one port; the kernel deals out.
  bool reuse_port = false;
};

class Listener {
 public:
  static constexpr absl::Duration kBackOff = absl::Milliseconds(100);

  explicit Listener(std::unique_ptr<Acceptor> acceptor) noexcept : acceptor_(std::move(acceptor)) {}

  class [[nodiscard]] Accept final : public Suspension, private IoWatch, private Timer {
   public:
    explicit Accept(Acceptor& acceptor) noexcept
        : Suspension(&Accept::stop),
          IoWatch(-1, Interest::kRead, &Accept::on_ready),
          Timer(&Accept::back_off_over),
          acceptor_(&acceptor) {}
    ~Accept() { leave(); }
    bool await_ready() noexcept { return Loop::current().spend_budget() && attempt(); }
    template <class P>
    void await_suspend(std::coroutine_handle<P> frame,
                       std::uint32_t line = __builtin_LINE()) noexcept {
      frame.promise().line = line;
      if (park(detail::untyped(frame))) go_on();
    }
    absl::StatusOr<Stream> await_resume();

   private:
    bool attempt() noexcept;  // true: there is a connection, or a final error
    void go_on() noexcept;
    void leave() noexcept;
    static void on_ready(IoWatch& watch) noexcept;
    static void back_off_over(Timer& timer) noexcept { static_cast<Accept&>(timer).go_on(); }
    static bool stop(Suspension& self) noexcept {
      static_cast<Accept&>(self).leave();
      return true;
    }

    Acceptor* acceptor_;
    std::unique_ptr<Transport> accepted_;
    int error_ = 0;
    bool waiting_ = false;
  };

  // Wakes when there is a connection. One at a time. On cancel: no connection is taken. On
  // shutdown: as cancelled; what is in the backlog is refused when the listener goes.
  Accept accept() noexcept { return Accept(acceptor()); }
  // With the port that the system chose, if it was asked to.
  const Address& local() const noexcept { return acceptor().local(); }

  // Stops listening now instead of at the end of its life; nobody may be waiting in accept().
  void close() noexcept { acceptor_.reset(); }

 private:
  Acceptor& acceptor() const noexcept {
    FERMATA_CHECK(acceptor_ != nullptr, "this Listener is closed, or was moved from");
    return *acceptor_;
  }
  std::unique_ptr<Acceptor> acceptor_;
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_NET_LISTENER_H_
