#include "plugins/sdk/plugin_loop.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "absl/time/time.h"
#include "services/async/check.h"

namespace fermata {

PluginLoop::PluginLoop(const fermata_host& host, fermata_instance* instance)
    : host_(host), instance_(instance), root_(host.instance_call(instance)) {
  anchor_clock(absl::FromUnixNanos(host_.unix_ns(instance_)),
               static_cast<int64_t>(host_.now_ns(instance_)));
  (void)listen();
}

PluginLoop::~PluginLoop() {
  drop_waker();  // left only when create() failed
}

// A waker has to be consumed also when its op is over, unless a posting thread has taken it.
void PluginLoop::drop_waker() noexcept {
  if (fermata_waker* waker = waker_.exchange(nullptr)) (void)host_.waker_drop(waker);
}

std::int64_t PluginLoop::read_clock_ns() noexcept {
  return static_cast<int64_t>(host_.now_ns(instance_));
}

// ---- running ----------------------------------------------------------------------------------

void PluginLoop::run_until_idle() noexcept {
  if (idle() && next_deadline_ns() == TimerHeap::kNever && !closing_) return;
  for (int turn = 0; turn < kTurnsPerEntry; ++turn) {
    ++stats_.turns;
    run_deliveries();
    (void)run_ready(kTurnSteps);
    (void)fire_timers();
    if (idle()) break;
  }
  if (!idle()) {
    ask_for_timer(0);
  } else if (next_deadline_ns() != TimerHeap::kNever) {
    ask_for_timer(next_deadline_ns());
  } else if (closing_) {
    drop_timers();
  }
}

// A timer that is no longer needed is left to fire: cheaper than to cancel it, which is an event as
// well.
void PluginLoop::ask_for_timer(int64_t deadline_ns) noexcept {
  if (!armed_.empty() && armed_.back().deadline_ns <= deadline_ns) return;
  if (armed_.size() >= kMaxArmed) {
    (void)host_.cancel_op(root_, armed_.back().token);
    armed_.pop_back();
  }
  const uint64_t token = next_token_++;
  const fermata_status status =
      host_.sleep_until(root_, token, static_cast<uint64_t>(deadline_ns), FERMATA_OP_SHIELD);
  FERMATA_CHECK(status == FERMATA_OK, "the host refused a timer");
  armed_.push_back({deadline_ns, token});
}

void PluginLoop::drop_timers() noexcept {
  for (const ArmedTimer& timer : armed_) (void)host_.cancel_op(root_, timer.token);
  armed_.clear();
}

bool PluginLoop::handle(const fermata_event& event) noexcept {
  switch (event.kind) {
    case FERMATA_EV_TIMER:
      std::erase_if(armed_, [&](const ArmedTimer& timer) { return timer.token == event.token; });
      return false;
    case FERMATA_EV_FD: {
      const auto found = watches_.find(event.token);
      if (found == watches_.end()) return false;  // unwatched meanwhile
      IoWatch* watch = found->second;
      drop_watch(*watch);
      if (event.status != FERMATA_OK) watch->error = EBADF;
      watch->fired(*watch);
      return false;
    }
    case FERMATA_EV_BLOCKING: {
      auto* job = reinterpret_cast<OffloadJob*>(event.token);
      job->run(*job);
      return false;
    }
    case FERMATA_EV_WAKER:
      if (event.status == FERMATA_E_CANCELLED) {
        drop_waker();
        return true;
      }
      return !listen();
    default:
      return false;  // a later minor's
  }
}

// ---- the outside world ------------------------------------------------------------------------

int PluginLoop::watch(IoWatch& watch) noexcept {
  watch.token = next_token_++;
  const uint32_t events = watch.interest == IoWatch::Interest::kRead ? POLLIN : POLLOUT;
  if (host_.poll_fd(root_, watch.token, watch.fd, events, FERMATA_OP_SHIELD) != FERMATA_OK)
    return EBADF;
  watches_.emplace(watch.token, &watch);
  IoWatch*& others = waits_for_[watch.fd];
  watch.next = others;
  others = &watch;
  return 0;
}

void PluginLoop::drop_watch(IoWatch& watch) noexcept {
  watches_.erase(watch.token);
  const auto waits = waits_for_.find(watch.fd);
  IoWatch** link = &waits->second;
  while (*link != &watch) link = &(*link)->next;
  *link = watch.next;
  if (waits->second == nullptr) waits_for_.erase(waits);
}

void PluginLoop::unwatch(IoWatch& watch) noexcept {
  if (!watches_.contains(watch.token)) return;
  drop_watch(watch);
  (void)host_.cancel_op(root_, watch.token);
}

// Who fires may watch other descriptors, and this number again: only those that wait now are told.
void PluginLoop::forget(int fd) noexcept {
  const auto waits = waits_for_.find(fd);
  if (waits == waits_for_.end()) return;
  for (IoWatch* watch = waits->second; watch != nullptr;) {
    IoWatch* const next = watch->next;
    unwatch(*watch);
    watch->error = EBADF;
    watch->fired(*watch);
    watch = next;
  }
}

void PluginLoop::offload(OffloadJob& job) noexcept {
  ++stats_.offloads;
  const fermata_status status =
      host_.offload(root_, reinterpret_cast<uint64_t>(&job), 0, FERMATA_OP_SHIELD);
  FERMATA_CHECK(status == FERMATA_OK, "the host refused an offloaded call");
}

bool PluginLoop::withdraw(OffloadJob& job) noexcept {
  // Whether it had begun is told by its event, which comes soon if it had not.
  (void)host_.cancel_op(root_, reinterpret_cast<uint64_t>(&job));
  return false;
}

void PluginLoop::run_blocking(uint64_t token) noexcept {
  auto* job = reinterpret_cast<OffloadJob*>(token);
  job->work(*job);
}

// Takes what was posted and makes sure that the next post finds a waker. Only here: an entry of the
// host for any other reason leaves the queue asleep, and pays for no atomic.
bool PluginLoop::listen() noexcept {
  fermata_waker* waker = nullptr;
  const bool open = host_.waker_new(root_, next_token_++, 0, &waker) == FERMATA_OK;
  if (open) waker_.store(waker, std::memory_order_relaxed);  // published by fall_asleep()'s release
  do {
    (void)run_posted();
  } while (!posts_.fall_asleep());
  return open;
}

// Any thread. It has replaced the queue's "asleep", which listen() stored with release after it
// stored the waker; the fence makes that store visible here. Only one post per sleep comes here, so
// the waker is fired once.
void PluginLoop::wake_from_sleep() noexcept {
  std::atomic_thread_fence(std::memory_order_acquire);
  if (fermata_waker* waker = waker_.exchange(nullptr, std::memory_order_relaxed)) {
    (void)host_.waker_fire(waker, 0);
  }
}

}  // namespace fermata
