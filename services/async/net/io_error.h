// What an errno of a stream means to a program: one Status code per thing that one would do about
// it.
//
//   kUnavailable         the peer is gone, or not there yet: another connection may work
//   kResourceExhausted   out of descriptors, ports or memory: later
//   kInvalidArgument, kPermissionDenied, kNotFound, …   as absl::ErrnoToStatusCode has them
#ifndef SERVICES_ASYNC_NET_IO_ERROR_H_
#define SERVICES_ASYNC_NET_IO_ERROR_H_

#include <string>

#include "absl/status/status.h"

namespace fermata {

// "cannot <what>: <the errno in words>"
absl::Status io_error(int error, const std::string& what);

}  // namespace fermata

#endif  // SERVICES_ASYNC_NET_IO_ERROR_H_
