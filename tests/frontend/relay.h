// Relay: a TCP connection that a test can cut. What is between a client and a server whose client's
// machine lost its power: no goodbye in any protocol, just nothing more.
#pragma once

#include <atomic>
#include <string>
#include <thread>

namespace fermata::frontend {

class Relay {
 public:
  // Listens on a free port of 127.0.0.1 and passes one connection on to `port`.
  explicit Relay(int port);
  ~Relay();

  int port() const { return port_; }
  // The server's side of the connection is closed, the client's is left hanging.
  void cut();

 private:
  void run(int to_port);

  int listener_ = -1;
  int wake_[2] = {-1, -1};
  int port_ = 0;
  std::thread thread_;
};

}  // namespace fermata::frontend
