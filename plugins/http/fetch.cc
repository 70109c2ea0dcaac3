#include "plugins/http/fetch.h"

#include "plugins/http/transfer.h"

namespace fermata::http {

Co<absl::StatusOr<Response>> fetch(Client& client, const Request& request) {
  Transfer transfer(client, request);
  const absl::Status started = transfer.start();
  if (!started.ok()) co_return started;
  const absl::Status in_time = co_await timeout(request.timeout, transfer.done().wait());
  if (!in_time.ok()) co_return transfer.timed_out();
  co_return transfer.take();
}

}  // namespace fermata::http
