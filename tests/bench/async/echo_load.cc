// The load of suite R's echo test: N connections, each with one request outstanding.
//
//   echo_load PORT CONNECTIONS SECONDS [BYTES]
//
// Closed loop on purpose: the server is to be the limit, and is compared by the requests it answers
// per second of its own CPU time, which the caller reads. Plain epoll, no runtime of ours, so that
// every server meets the same client. Prints one JSON line.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Peer {
  int fd = -1;
  std::size_t answered = 0;  // bytes of the current answer
  Clock::time_point sent;
};

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

int dial(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("connect");
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

class Load {
 public:
  Load(std::uint16_t port, std::size_t connections, std::size_t bytes)
      : request_(bytes, 'x'), answer_(64 * 1024), peers_(connections) {
    for (std::size_t i = 0; i < peers_.size(); ++i) {
      peers_[i].fd = dial(port);
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.u64 = i;
      if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, peers_[i].fd, &event) != 0) fail("epoll_ctl");
    }
  }
  Load(const Load&) = delete;
  ~Load() {
    for (const Peer& peer : peers_) close(peer.fd);
    close(epoll_fd_);
  }

  // Returns the time it took, which is a little more than asked for.
  double run(double seconds) {
    const Clock::time_point start = Clock::now();
    for (Peer& peer : peers_) send(peer);
    double elapsed = 0;
    while (elapsed < seconds) {
      epoll_event events[64];
      const int count = epoll_wait(epoll_fd_, events, 64, 1000);
      if (count == 0) std::fprintf(stderr, "echo_load: no answer for a second\n"), std::exit(1);
      for (int i = 0; i < count; ++i) receive(peers_[events[i].data.u64]);
      elapsed = seconds_since(start);
    }
    return elapsed;
  }

  std::size_t answers() const { return latencies_us_.size(); }
  double latency_us(std::size_t percent) {
    std::sort(latencies_us_.begin(), latencies_us_.end());
    return latencies_us_.at((latencies_us_.size() - 1) * percent / 100);
  }

 private:
  void send(Peer& peer) {
    peer.answered = 0;
    peer.sent = Clock::now();
    const ssize_t sent = ::send(peer.fd, request_.data(), request_.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(request_.size())) fail("send");
  }
  void receive(Peer& peer) {
    const ssize_t got = recv(peer.fd, answer_.data(), answer_.size(), 0);
    if (got <= 0) fail("the server hung up");
    peer.answered += static_cast<std::size_t>(got);
    if (peer.answered < request_.size()) return;
    latencies_us_.push_back(seconds_since(peer.sent) * 1e6);
    send(peer);
  }

  const int epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  const std::vector<char> request_;
  std::vector<char> answer_;
  std::vector<Peer> peers_;
  std::vector<double> latencies_us_;
};

}  // namespace

int main(int count, char** arguments) {
  if (count < 4) {
    std::fprintf(stderr, "usage: echo_load PORT CONNECTIONS SECONDS [BYTES]\n");
    return 2;
  }
  Load load(static_cast<std::uint16_t>(std::atoi(arguments[1])),
            static_cast<std::size_t>(std::atol(arguments[2])),
            count > 4 ? static_cast<std::size_t>(std::atol(arguments[4])) : 64);
  const double seconds = load.run(std::atof(arguments[3]));
  std::printf("{\"requests\":%zu,\"seconds\":%.4f,\"p50_us\":%.1f,\"p99_us\":%.1f}\n",
              load.answers(), seconds, load.latency_us(50), load.latency_us(99));
  return 0;
}
