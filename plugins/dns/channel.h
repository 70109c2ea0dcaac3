// Channel: c-ares on one event loop; all queries of one stage instance.
//
//   c-ares' sockets --> an epoll set of our own --> ONE readable() on the loop
//   c-ares' retries --> ares_timeout()          --> ONE timer on the loop
//
// c-ares cannot take one query back: a cancelled call leaves at once, and its query lives on inside
// until it is answered or given up, and counts against queries_max until then. Loop thread only.
#ifndef FERMATA_PLUGINS_DNS_CHANNEL_H_
#define FERMATA_PLUGINS_DNS_CHANNEL_H_

#include <ares.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "plugins/dns/options.h"
#include "plugins/sdk/slots.h"
#include "services/async/async.h"

namespace fermata::dns {

class Channel {
 public:
  static absl::StatusOr<std::unique_ptr<Channel>> make(const Config& config);
  // Neither of the two coroutines may be left, and no call.
  ~Channel();
  Channel(const Channel&) = delete;

  // Both must run, side by side, as long as there are queries. They end by being cancelled.
  static Co<void> serve_sockets(Channel* channel);
  static Co<void> serve_timer(Channel* channel);

  // Wakes with the answer's bytes. NotFound: no such name, or nothing of the type. Unavailable: no
  // server gave a usable answer. ResourceExhausted: too many wait. On cancel: at once. On shutdown:
  // as cancelled.
  Co<absl::StatusOr<std::vector<std::uint8_t>>> query(const Request& request);

 private:
  // Shared with c-ares, which calls back exactly once, maybe long after the frame is gone.
  struct Query {
    Query(Channel* channel, Semaphore::Permit slot) : channel(channel), slot(std::move(slot)) {}
    Channel* channel;
    Semaphore::Permit slot;
    std::vector<std::uint8_t> answer;
    int error = ARES_SUCCESS;
    Event done;
  };
  explicit Channel(const Config& config);
  absl::Status open(const Config& config);
  void process_ready();
  static void on_answer(void* query, int error, int timeouts, unsigned char* bytes, int size);
  static void on_socket(void* self, ares_socket_t fd, int reads, int writes);

  Slots slots_;
  int epoll_ = -1;
  ares_channel channel_ = nullptr;
  std::size_t active_ = 0;
  Event asked_;
};

}  // namespace fermata::dns

#endif  // FERMATA_PLUGINS_DNS_CHANNEL_H_
