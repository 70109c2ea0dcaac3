#include "plugins/dns/channel.h"

#include <sys/epoll.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "services/config/str_cat.h"

namespace fermata::dns {
namespace {

constexpr int kClassInternet = 1;
constexpr int kEventsMax = 64;

bool library_ready() {
  static const bool ready = ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS;
  return ready;
}

absl::Status status_of(int error, const Request& request) {
  const std::string message =
      str_cat("dns ", request.type_name, " ", request.name, ": ", ares_strerror(error));
  switch (error) {
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
      return absl::NotFoundError(message);
    case ARES_EBADNAME:
    case ARES_EFORMERR:
      return absl::InvalidArgumentError(message);
    case ARES_ENOMEM:
      return absl::ResourceExhaustedError(message);
    default:
      return absl::UnavailableError(message);
  }
}

}  // namespace

Channel::Channel(const Config& config)
    : slots_("dns queries", config.queries_max, config.waiting_max) {}

absl::StatusOr<std::unique_ptr<Channel>> Channel::make(const Config& config) {
  std::unique_ptr<Channel> channel(new Channel(config));
  const absl::Status status = channel->open(config);
  if (!status.ok()) return status;
  return channel;
}

absl::Status Channel::open(const Config& config) {
  if (!library_ready()) return absl::InternalError("dns: c-ares cannot be initialised");
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) return absl::ErrnoToStatus(errno, "dns: epoll_create1");
  ares_options raw{};
  raw.timeout = static_cast<int>(absl::ToInt64Milliseconds(config.try_timeout));
  raw.tries = static_cast<int>(config.tries);
  raw.sock_state_cb = &Channel::on_socket;
  raw.sock_state_cb_data = this;
  int error = ares_init_options(&channel_, &raw,
                                ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
  if (error == ARES_SUCCESS && !config.servers.empty()) {
    error = ares_set_servers_ports_csv(channel_, config.servers.c_str());
  }
  if (error == ARES_SUCCESS) return absl::OkStatus();
  return absl::InvalidArgumentError(str_cat("servers: expected addresses such as 1.1.1.1:53; got '",
                                            config.servers, "': ", ares_strerror(error)));
}

Channel::~Channel() {
  if (channel_ != nullptr) ares_destroy(channel_);  // calls back for what is left
  if (epoll_ >= 0) ::close(epoll_);
}

void Channel::on_socket(void* self, ares_socket_t fd, int reads, int writes) {
  auto* channel = static_cast<Channel*>(self);
  epoll_event event = {};
  if (reads != 0) event.events |= EPOLLIN;
  if (writes != 0) event.events |= EPOLLOUT;
  event.data.fd = fd;
  if (event.events == 0) {
    ::epoll_ctl(channel->epoll_, EPOLL_CTL_DEL, fd, nullptr);
  } else if (::epoll_ctl(channel->epoll_, EPOLL_CTL_ADD, fd, &event) != 0 && errno == EEXIST) {
    ::epoll_ctl(channel->epoll_, EPOLL_CTL_MOD, fd, &event);
  }
}

void Channel::on_answer(void* query, int error, int, unsigned char* bytes, int size) {
  const std::unique_ptr<std::shared_ptr<Query>> held(static_cast<std::shared_ptr<Query>*>(query));
  Query& result = **held;
  result.error = error;
  if (error == ARES_SUCCESS && bytes != nullptr) result.answer.assign(bytes, bytes + size);
  --result.channel->active_;
  result.slot.release();
  result.done.set();
}

Co<absl::StatusOr<std::vector<std::uint8_t>>> Channel::query(const Request& request) {
  Semaphore::Permit slot = co_await Try(slots_.acquire());
  auto query = std::make_shared<Query>(this, std::move(slot));
  ++active_;
  ares_query(channel_, request.asked.c_str(), kClassInternet, static_cast<int>(request.type),
             &Channel::on_answer, new std::shared_ptr<Query>(query));
  asked_.set();
  co_await query->done.wait();
  if (query->error != ARES_SUCCESS) co_return status_of(query->error, request);
  co_return std::move(query->answer);
}

void Channel::process_ready() {
  std::array<epoll_event, kEventsMax> events;
  const int count = ::epoll_wait(epoll_, events.data(), kEventsMax, 0);
  // An earlier one of these may have closed a later one; c-ares ignores sockets it does not know.
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    const bool reads = (event.events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0;
    const bool writes = (event.events & ~static_cast<std::uint32_t>(EPOLLIN)) != 0;
    ares_process_fd(channel_, reads ? event.data.fd : ARES_SOCKET_BAD,
                    writes ? event.data.fd : ARES_SOCKET_BAD);
  }
}

Co<void> Channel::serve_sockets(Channel* channel) {
  for (;;) {
    const absl::Status ready = co_await readable(channel->epoll_);
    // Only when the server is out of resources or going down; the calls end by their timeouts.
    if (!ready.ok()) co_return;
    channel->process_ready();
  }
}

Co<void> Channel::serve_timer(Channel* channel) {
  for (;;) {
    channel->asked_.clear();
    if (channel->active_ == 0) {
      co_await channel->asked_.wait();
      continue;
    }
    timeval room{};
    timeval longest{1, 0};  // looks again then, whatever happens
    const timeval* wait = ares_timeout(channel->channel_, &longest, &room);
    (void)co_await timeout(absl::DurationFromTimeval(*wait), channel->asked_.wait());
    ares_process_fd(channel->channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  }
}

}  // namespace fermata::dns
