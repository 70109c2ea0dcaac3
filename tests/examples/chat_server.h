// A chat server: a client says "<name> <room>", and then lines that everybody else in the room
// gets.
#ifndef TESTS_EXAMPLES_CHAT_SERVER_H_
#define TESTS_EXAMPLES_CHAT_SERVER_H_

#include <cstddef>

#include "services/async/async.h"
#include "services/async/net/network.h"

namespace fermata::examples {

struct ChatLimits {
  ChatLimits() {}
  std::size_t clients = 1000;  // more wait to be accepted
  std::size_t line = 1024;     // bytes
  std::size_t unsent = 64;     // lines; a client that is further behind is disconnected
  absl::Duration greeting = absl::Seconds(10);
};

// Until it is cancelled.
Co<absl::Status> serve_chat(Listener& listener, ChatLimits limits);

}  // namespace fermata::examples

#endif  // TESTS_EXAMPLES_CHAT_SERVER_H_
