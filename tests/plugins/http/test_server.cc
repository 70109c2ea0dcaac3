#include "tests/plugins/http/test_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <optional>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/async/check.h"
#include "services/config/json.h"

namespace fermata::http {
namespace {

// "ok", and a mebibyte of zeros.
constexpr char kGzipOk[] = "H4sIAAAAAAACA8vPBgBH3dx5AgAAAA==";
constexpr char kGzipBomb[] =
    "H4sIAAAAAAACA+3BMQEAAADCoPVPbQhfoAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAPgMc6jinAAAQAA==";

struct Peer {
  explicit Peer(TestServer* owner, int descriptor) : server(owner), fd(descriptor) {
    ++server->accepted;
    server->open_max = std::max(server->open_max, ++server->open);
  }
  ~Peer() {
    ::close(fd);
    --server->open;
  }
  TestServer* server;
  int fd;
  std::string in;
};

// False when the peer is gone.
Co<bool> send_all(Peer& peer, std::string text) {
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t put = ::send(peer.fd, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (put > 0) {
      rest.remove_prefix(static_cast<std::size_t>(put));
      continue;
    }
    if (errno != EAGAIN) co_return false;
    const absl::Status ready = co_await writable(peer.fd);
    if (!ready.ok()) co_return false;
  }
  co_return true;
}

// False at the end.
Co<bool> receive_some(Peer& peer) {
  char chunk[16384];
  for (;;) {
    const ssize_t got = ::recv(peer.fd, chunk, sizeof chunk, 0);
    if (got > 0) peer.in.append(chunk, static_cast<std::size_t>(got));
    if (got > 0) co_return true;
    if (got == 0 || errno != EAGAIN) co_return false;
    const absl::Status ready = co_await readable(peer.fd);
    if (!ready.ok()) co_return false;
  }
}

Co<bool> receive_request(Peer& peer, std::string* request) {
  std::size_t end = peer.in.find("\r\n\r\n");
  while (end == std::string::npos) {
    const bool more = co_await receive_some(peer);
    if (!more) co_return false;
    end = peer.in.find("\r\n\r\n");
  }
  end += 4;
  const std::size_t length = peer.in.find("Content-Length: ");
  if (length < end) end += std::strtoul(peer.in.c_str() + length + 16, nullptr, 10);
  while (peer.in.size() < end) {
    const bool more = co_await receive_some(peer);
    if (!more) co_return false;
  }
  *request = peer.in.substr(0, end);
  peer.in.erase(0, end);
  co_return true;
}

Co<void> wait_until_gone(Peer& peer) {
  peer.server->stuck.set();
  for (;;) {
    const bool more = co_await receive_some(peer);
    if (!more) break;
  }
  peer.server->hung_up.set();
}

std::string answer(std::string_view status, std::string headers, std::string_view body) {
  return absl::StrCat("HTTP/1.1 ", std::string(status), "\r\n", headers,
                      "Content-Length: ", body.size(), "\r\n\r\n", std::string(body));
}

// Everything that is one answer, sent in one go.
std::optional<std::string> plain_answer(std::string_view path, const std::string& request) {
  const auto rest = [&](std::string_view prefix) {
    return std::string(path.substr(std::min(prefix.size(), path.size())));
  };
  if (path.starts_with("/ok")) return answer("200 OK", "Content-Type: text/plain\r\n", "hello");
  if (path == "/echo") {
    return answer("200 OK", "Content-Type: application/json\r\n", json_quote(request));
  }
  if (path.starts_with("/status/")) {
    return answer(rest("/status/") + " Said So", "Content-Type: text/plain\r\nRetry-After: 7\r\n",
                  "because");
  }
  if (path == "/loop") return answer("302 Found", "Location: /loop\r\n", "redirected");
  if (path == "/redirect/0") return answer("200 OK", "X-Last: yes\r\n", "arrived");
  if (path.starts_with("/redirect/")) {
    const int left = std::atoi(rest("/redirect/").c_str());
    return answer("302 Found", absl::StrCat("Location: /redirect/", left - 1, "\r\nX-Way: x\r\n"),
                  "moving");
  }
  if (path.starts_with("/to/")) {  // /to/<hex of the location>
    return answer("302 Found",
                  absl::StrCat("Location: ", absl::HexStringToBytes(rest("/to/")), "\r\n"), "");
  }
  if (path == "/chunked") {
    return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n";
  }
  if (path == "/gzip" || path == "/bomb") {
    std::string bytes;
    absl::Base64Unescape(path == "/gzip" ? kGzipOk : kGzipBomb, &bytes);
    return answer("200 OK", "Content-Encoding: gzip\r\nContent-Type: text/plain\r\n", bytes);
  }
  if (path == "/badgzip") return answer("200 OK", "Content-Encoding: gzip\r\n", "not gzip at all");
  if (path == "/latin1") {
    return answer("200 OK", "Content-Type: text/html; charset=iso-8859-1\r\n", "caf\xE9");
  }
  if (path == "/binary") {
    return answer("200 OK", "Content-Type: image/png\r\n", std::string_view("\x89P\0\xFF", 4));
  }
  if (path == "/cookies") {
    return answer("200 OK", "Set-Cookie: a=1, 2\r\nSet-Cookie: b=3\r\nX-A: 1\r\nx-a: 2\r\n", "");
  }
  if (path.starts_with("/bytes/")) {
    return answer("200 OK", "Content-Type: text/plain\r\n",
                  std::string(std::strtoul(rest("/bytes/").c_str(), nullptr, 10), 'x'));
  }
  return std::nullopt;
}

// What takes more than one go, or ends the connection. False: close it.
Co<bool> play(Peer& peer, std::string path) {
  if (path == "/hang") {
    co_await wait_until_gone(peer);
  } else if (path == "/slow") {
    const bool sent =
        co_await send_all(peer, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome of it");
    if (sent) co_await wait_until_gone(peer);
  } else if (path == "/short") {
    co_await send_all(peer, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome of it");
  } else if (path == "/reset") {
    co_await send_all(peer, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome of it");
    const linger now_and_rudely = {1, 0};
    ::setsockopt(peer.fd, SOL_SOCKET, SO_LINGER, &now_and_rudely, sizeof now_and_rudely);
  } else if (path == "/garbage") {
    co_await send_all(peer, "\x01\x02\x03 this is not HTTP\r\n\r\n");
  } else if (path == "/endless" || path == "/headers") {
    bool sent = co_await send_all(peer, "HTTP/1.1 200 OK\r\n");
    if (path == "/endless") sent = co_await send_all(peer, "Content-Type: text/plain\r\n\r\n");
    while (sent) {
      std::string more = path == "/endless" ? std::string(65536, 'x')
                                            : absl::StrCat("X-A: ", std::string(1000, 'y'), "\r\n");
      sent = co_await send_all(peer, std::move(more));
      co_await yield_now();
    }
    peer.server->hung_up.set();
  }
  co_return false;
}

}  // namespace

TestServer::TestServer() {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  FERMATA_CHECK(::bind(listener_, any, size) == 0, "bind");
  FERMATA_CHECK(::listen(listener_, 512) == 0, "listen");
  FERMATA_CHECK(::getsockname(listener_, any, &size) == 0, "getsockname");
  port_ = ntohs(address.sin_port);
}

TestServer::~TestServer() { ::close(listener_); }

std::string TestServer::url(std::string_view path) const {
  return absl::StrCat("http://127.0.0.1:", port_, std::string(path));
}

Co<absl::Status> TestServer::serve(TestServer* server) {
  co_return co_await with_group(accept_all, server);
}

Co<absl::Status> TestServer::accept_all(TaskGroup& group, TestServer* server) {
  for (;;) {
    const int fd = ::accept4(server->listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      (void)group.spawn(talk, server, fd);
      continue;
    }
    const absl::Status ready = co_await readable(server->listener_);
    if (!ready.ok()) co_return ready;
  }
}

Co<void> TestServer::talk(TestServer* server, int fd) {
  Peer peer(server, fd);
  for (;;) {
    std::string request;
    const bool got = co_await receive_request(peer, &request);
    if (!got) co_return;
    server->heads.push_back(request);
    const std::size_t start = request.find(' ') + 1;
    const std::string path = request.substr(start, request.find_first_of(" ?", start) - start);
    const std::optional<std::string> answered = plain_answer(path, request);
    bool on = false;
    if (answered.has_value()) {
      std::string text = *answered;
      if (request.starts_with("HEAD ")) text.resize(text.find("\r\n\r\n") + 4);
      on = co_await send_all(peer, std::move(text));
    } else {
      on = co_await play(peer, path);
    }
    if (!on) co_return;
  }
}

}  // namespace fermata::http
