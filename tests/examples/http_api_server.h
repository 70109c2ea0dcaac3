// A tiny HTTP/1.1 API: GET, PUT and DELETE /items/<name>, GET /items. Keep-alive, limits, timeouts,
// and a graceful end.
#ifndef TESTS_EXAMPLES_HTTP_API_SERVER_H_
#define TESTS_EXAMPLES_HTTP_API_SERVER_H_

#include <cstddef>

#include "services/async/async.h"
#include "services/async/net/network.h"

namespace fermata::examples {

struct ApiLimits {
  ApiLimits() {}
  std::size_t connections = 1000;
  std::size_t head = 8 * 1024;  // bytes of request line and headers
  std::size_t body = 64 * 1024;
  std::size_t items = 1000;
  absl::Duration idle = absl::Seconds(60);     // between requests
  absl::Duration request = absl::Seconds(10);  // to read the body and to answer
};

// Until `drain` is set: then no connection is accepted, idle ones are closed, requests that have
// begun are answered, and it returns.
Co<absl::Status> serve_api(Listener& listener, Event& drain, ApiLimits limits);

}  // namespace fermata::examples

#endif  // TESTS_EXAMPLES_HTTP_API_SERVER_H_
