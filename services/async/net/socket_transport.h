// SocketTransport: a Stream's Transport on a kernel socket. See socket.h.
#ifndef SERVICES_ASYNC_NET_SOCKET_TRANSPORT_H_
#define SERVICES_ASYNC_NET_SOCKET_TRANSPORT_H_

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

#include "services/async/descriptor.h"
#include "services/async/loop.h"
#include "services/async/net/address.h"
#include "services/async/net/transport.h"

namespace fermata {

// Of a descriptor, or an unconnected one's empty address.
Address peer_of(int fd);
Address local_of(int fd);

class SocketTransport final : public Transport {
 public:
  SocketTransport(Descriptor socket, Address peer) noexcept
      : socket_(std::move(socket)), peer_(std::move(peer)) {}

  std::ptrdiff_t try_recv(std::span<char> into) noexcept override;
  std::ptrdiff_t try_send(std::string_view bytes) noexcept override;
  int shutdown_write() noexcept override;
  int set_no_delay(bool on) noexcept override;
  const Address& peer() const noexcept override { return peer_; }
  Address local() const override { return local_of(socket_.fd()); }

 private:
  bool send_soon(IoWatch& watch, std::string_view bytes) noexcept override;
  int watch_ready(IoWatch& watch) noexcept override;
  void unwatch_ready(IoWatch& watch) noexcept override { Loop::current().unwatch(watch); }

  Descriptor socket_;
  bool drained_ = false;  // the last read took all there was
  bool filled_ = false;   // the last write took all the room
  Address peer_;
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_NET_SOCKET_TRANSPORT_H_
