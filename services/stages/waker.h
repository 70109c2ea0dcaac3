// Waker and WakerHub: how threads that the plugin owns reach their calls, and the log, on the loop.
// The one hand-over file of this room besides worker_mail.h.
//
// A plugin may fire a waker at any time: after its call ended, after the host closed, during
// either. So a waker points to a WakerHub that outlives everything, and the hub's mutex guards both
// questions: is the loop still there, and is the call still interested. Under it a waker is posted,
// never run. Ordering: the mutex orders open/closed against firing; value_ is written before the
// post (release) and read in run (acquire, PostQueue).
//
// Whoever consumes the waker (fire, drop) gives it up; it is deleted there, or on the loop after
// delivery.
#ifndef SERVICES_STAGES_WAKER_H_
#define SERVICES_STAGES_WAKER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "services/async/loop.h"
#include "services/stages/call_op.h"
#include "services/stages/handles.h"
#include "services/stages/stages.h"

namespace fermata {

class WakerOp;

// What a thread of the plugin's own wants to be logged.
struct ForeignLog {
  std::shared_ptr<const Stage> stage;
  uint32_t level = 0;
  std::string message;
};

// One per host and loop.
class WakerHub : public std::enable_shared_from_this<WakerHub> {
 public:
  static constexpr size_t kMaxLogsInPost = 256;

  explicit WakerHub(Loop& loop) : loop_(&loop) {}
  // Loop thread: from here on every waker answers E_CLOSED, and no log arrives.
  void close();
  // Loop thread, before any plugin runs.
  void on_log(std::function<void(const ForeignLog&)> sink) { sink_ = std::move(sink); }
  // Any thread; dropped when too many wait for the loop.
  void send_log(ForeignLog entry);

 private:
  friend class Waker;
  void deliver_log(const ForeignLog& entry);

  std::mutex mutex_;
  Loop* loop_;
  size_t logs_in_post_ = 0;
  std::function<void(const ForeignLog&)> sink_;  // loop thread
};

class Waker final : public fermata_waker, private PostNode {
 public:
  Waker(std::shared_ptr<WakerHub> hub, WakerOp& op);

  // Any thread; consumes.
  fermata_status fire(uint64_t value, fermata_status status);
  // Loop thread: the op is over. The waker itself lives until the plugin consumes it.
  void disconnect();

 private:
  static void run_posted(PostNode& node) noexcept;
  static void drop_posted(PostNode& node) noexcept;

  std::shared_ptr<WakerHub> hub_;
  WakerOp* op_;  // guarded by the hub's mutex; null: closed
  uint64_t value_ = 0;
  fermata_status status_ = FERMATA_OK;
};

class WakerOp final : public CallOp {
 public:
  WakerOp(StageCall& call, uint64_t token, uint32_t flags, std::shared_ptr<WakerHub> hub);
  ~WakerOp() override;
  fermata_waker* waker() const noexcept { return waker_; }
  bool stop() noexcept override;

 private:
  friend class Waker;
  Waker* waker_;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_WAKER_H_
