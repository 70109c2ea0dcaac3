// The kernel's sockets as Transport and Acceptor: what listen() and connect() use on a real loop.
//
// Non-blocking and close-on-exec from birth. After a short read or write the kernel has said that
// there is no more for now, so the next attempt waits instead of asking it again: one system call
// less per request and answer.
#ifndef SERVICES_ASYNC_NET_SOCKET_H_
#define SERVICES_ASYNC_NET_SOCKET_H_

#include <memory>

#include "absl/status/statusor.h"
#include "services/async/co.h"
#include "services/async/descriptor.h"
#include "services/async/net/address.h"
#include "services/async/net/listener.h"
#include "services/async/net/stream.h"
#include "services/async/net/transport.h"

namespace fermata {

absl::StatusOr<std::unique_ptr<Acceptor>> listen_socket(const Address& address,
                                                        const ListenOptions& options);
Co<absl::StatusOr<Stream>> connect_socket(Address address);

// A connected stream socket from elsewhere: inherited, from socketpair(), passed by another
// process. Takes it over; makes it non-blocking.
absl::StatusOr<Stream> stream_from_socket(Descriptor descriptor);

}  // namespace fermata

#endif  // SERVICES_ASYNC_NET_SOCKET_H_
