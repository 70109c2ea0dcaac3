#include "tests/frontend/relay.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gtest/gtest.h"

namespace fermata::frontend {
namespace {

sockaddr_in loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

// Moves what is there; false when that side is closed.
bool pass(int from, int to) {
  char buffer[16384];
  const ssize_t got = read(from, buffer, sizeof buffer);
  if (got <= 0) return false;
  for (ssize_t at = 0; at < got;) {
    const ssize_t put = write(to, buffer + at, static_cast<size_t>(got - at));
    if (put <= 0) return false;
    at += put;
  }
  return true;
}

}  // namespace

Relay::Relay(int port) {
  listener_ = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(listen(listener_, 1), 0);
  EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
  port_ = ntohs(address.sin_port);
  EXPECT_EQ(pipe(wake_), 0);
  thread_ = std::thread([this, port] { run(port); });
}

Relay::~Relay() {
  cut();
  thread_.join();
  close(listener_);
  close(wake_[0]);
  close(wake_[1]);
}

void Relay::cut() { EXPECT_EQ(write(wake_[1], "x", 1), 1); }

void Relay::run(int to_port) {
  pollfd first[] = {{listener_, POLLIN, 0}, {wake_[0], POLLIN, 0}};
  poll(first, 2, -1);
  if (first[1].revents != 0) return;
  const int client = accept(listener_, nullptr, nullptr);
  const int server = socket(AF_INET, SOCK_STREAM, 0);
  const sockaddr_in address = loopback(to_port);
  EXPECT_EQ(connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  pollfd both[] = {{client, POLLIN, 0}, {server, POLLIN, 0}, {wake_[0], POLLIN, 0}};
  while (true) {
    poll(both, 3, -1);
    if (both[2].revents != 0) break;
    if (both[0].revents != 0 && !pass(client, server)) break;
    if (both[1].revents != 0 && !pass(server, client)) break;
  }
  close(server);
  close(client);
}

}  // namespace fermata::frontend
