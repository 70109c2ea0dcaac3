#include "plugins/curl/multi.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "plugins/curl/transfer.h"
#include "services/async/check.h"

namespace fermata::curl {
namespace {

constexpr int kEventsMax = 64;

bool init_curl() {
  static const bool ok = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return ok;
}

std::uint32_t epoll_events(int what) {
  std::uint32_t events = 0;
  if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) events |= EPOLLIN;
  if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) events |= EPOLLOUT;
  return events;
}

int curl_events(std::uint32_t events) {
  int out = 0;
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLRDHUP)) != 0) out |= CURL_CSELECT_IN;
  if ((events & EPOLLOUT) != 0) out |= CURL_CSELECT_OUT;
  if ((events & EPOLLERR) != 0) out |= CURL_CSELECT_ERR;
  return out;
}

}  // namespace

absl::Status Multi::open(const MultiOptions& options) {
  if (!init_curl()) return absl::InternalError("curl: libcurl cannot be initialised");
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) return absl::ErrnoToStatus(errno, "curl: epoll_create1");
  multi_ = curl_multi_init();
  if (multi_ == nullptr) return absl::ResourceExhaustedError("curl: no memory for libcurl");
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &Multi::on_socket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &Multi::on_timer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_MAX_TOTAL_CONNECTIONS, options.connections_max);
  curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS, options.host_connections_max);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, options.connections_max);
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_MULTIPLEX));
  return absl::OkStatus();
}

Multi::~Multi() {
  FERMATA_CHECK(transfers_ == 0, "a multi handle was destroyed while a transfer was running");
  if (multi_ != nullptr) {
    // Closing idle connections must call nobody: there may be no loop on this thread any more.
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, static_cast<curl_socket_callback>(nullptr));
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION,
                      static_cast<curl_multi_timer_callback>(nullptr));
    curl_multi_cleanup(multi_);
  }
  if (epoll_ >= 0) ::close(epoll_);
}

CURLMcode Multi::add(CURL* easy) {
  const CURLMcode code = curl_multi_add_handle(multi_, easy);
  if (code == CURLM_OK) ++transfers_;
  return code;
}

void Multi::remove(CURL* easy) {
  FERMATA_CHECK(transfers_ > 0, "a transfer was removed from a multi handle that has none");
  curl_multi_remove_handle(multi_, easy);
  --transfers_;
}

// `known` is what curl_multi_assign() was given for this socket: not null once epoll has it.
int Multi::on_socket(CURL*, curl_socket_t fd, int what, void* self, void* known) {
  auto* multi = static_cast<Multi*>(self);
  if (what == CURL_POLL_REMOVE) {
    // It may be closed already, which took it out of the set.
    ::epoll_ctl(multi->epoll_, EPOLL_CTL_DEL, fd, nullptr);
    return 0;
  }
  epoll_event event = {};
  event.events = epoll_events(what);
  event.data.fd = fd;
  if (known != nullptr && ::epoll_ctl(multi->epoll_, EPOLL_CTL_MOD, fd, &event) == 0) return 0;
  if (::epoll_ctl(multi->epoll_, EPOLL_CTL_ADD, fd, &event) != 0 &&
      (errno != EEXIST || ::epoll_ctl(multi->epoll_, EPOLL_CTL_MOD, fd, &event) != 0)) {
    return -1;  // libcurl fails the transfer
  }
  curl_multi_assign(multi->multi_, fd, multi);
  return 0;
}

int Multi::on_timer(CURLM*, long timeout_ms, void* self) {
  auto* multi = static_cast<Multi*>(self);
  multi->due_ = timeout_ms < 0 ? absl::InfiniteFuture() : now() + absl::Milliseconds(timeout_ms);
  // A later time needs no wake-up: serve_timer looks at due_ again when it has woken.
  if (multi->due_ < multi->armed_) multi->due_sooner_.set();
  return 0;
}

void Multi::act(curl_socket_t fd, int events) {
  int running = 0;
  curl_multi_socket_action(multi_, fd, events, &running);
  finish_done();
}

void Multi::finish_done() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    // The message is gone once its handle is removed.
    CURL* easy = message->easy_handle;
    const CURLcode result = message->data.result;
    Transfer* transfer = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
    transfer->finish(result);
  }
}

void Multi::act_on_ready_sockets() {
  std::array<epoll_event, kEventsMax> events;
  const int count = ::epoll_wait(epoll_, events.data(), kEventsMax, 0);
  // An earlier one of these may have closed a later one; libcurl ignores sockets it does not know.
  for (int i = 0; i < count; ++i) act(events[i].data.fd, curl_events(events[i].events));
}

Co<void> Multi::serve_sockets(Multi* multi) {
  for (;;) {
    const absl::Status ready = co_await readable(multi->epoll_);
    // Only when the server is out of resources or going down; the calls end by their timeouts.
    if (!ready.ok()) co_return;
    multi->act_on_ready_sockets();
  }
}

Co<void> Multi::serve_timer(Multi* multi) {
  for (;;) {
    multi->armed_ = multi->due_;
    multi->due_sooner_.clear();
    const absl::Status sooner = co_await timeout_at(multi->armed_, multi->due_sooner_.wait());
    if (sooner.ok() && now() < multi->due_) continue;
    if (multi->due_ <= now()) {
      multi->due_ = absl::InfiniteFuture();
      multi->act(CURL_SOCKET_TIMEOUT, 0);
    }
    co_await yield_now();
  }
}

}  // namespace fermata::curl
