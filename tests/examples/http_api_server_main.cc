// http_api_server [address]: until Ctrl-C, which lets the requests that have begun be answered.
#include <iostream>

#include "services/async/process/signals.h"
#include "tests/examples/http_api_server.h"

namespace fermata::examples {

Co<void> drain_on_signal(SignalSet& signals, Event& drain) {
  co_await signals.next();
  drain.set();
}

Co<absl::Status> serve_until_drained(TaskGroup& group, Listener& listener, SignalSet& signals,
                                     Event& drain) {
  group.spawn(drain_on_signal, std::ref(signals), std::ref(drain));
  co_return co_await serve_api(listener, drain, ApiLimits());
}

Co<absl::Status> api_main(std::string text) {
  absl::StatusOr<SignalSet> signals = SignalSet::make({SIGINT, SIGTERM}, SignalSet::Repeat::kOnce);
  if (!signals.ok()) co_return signals.status();
  absl::StatusOr<Address> address = Address::parse(text);
  if (!address.ok()) co_return address.status();
  absl::StatusOr<Listener> listener = listen(*address);
  if (!listener.ok()) co_return listener.status();
  std::cout << "listening at " << listener->local() << std::endl;
  Event drain;
  co_return co_await with_group(serve_until_drained, *listener, *signals, drain);
}

}  // namespace fermata::examples

int main(int argc, char** argv) {
  const std::string address = argc > 1 ? argv[1] : "127.0.0.1:8080";
  const absl::Status status = fermata::run(fermata::examples::api_main(address));
  if (!status.ok()) std::cerr << status << "\n";
  return status.ok() ? 0 : 1;
}
