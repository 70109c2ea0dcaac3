// chat_server [address]: until Ctrl-C.
#include <iostream>

#include "services/async/process/run_until_signal.h"
#include "tests/examples/chat_server.h"

namespace fermata::examples {

Co<absl::Status> chat_main(std::string text) {
  absl::StatusOr<Address> address = Address::parse(text);
  if (!address.ok()) co_return address.status();
  absl::StatusOr<Listener> listener = listen(*address);
  if (!listener.ok()) co_return listener.status();
  std::cout << "listening at " << listener->local() << std::endl;
  co_return co_await serve_chat(*listener, ChatLimits());
}

}  // namespace fermata::examples

int main(int argc, char** argv) {
  const std::string address = argc > 1 ? argv[1] : "127.0.0.1:7000";
  const absl::Status status = fermata::run_until_signal(fermata::examples::chat_main, address);
  if (status.ok() || absl::IsCancelled(status)) return 0;
  std::cerr << status << "\n";
  return 1;
}
