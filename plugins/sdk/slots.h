// Slots: at most so many calls at once, and at most so many that wait for one of them.
//
//   Semaphore::Permit slot = co_await Try(slots_.acquire());
//
// For whatever a stage has few of: processes, connections. Without the second limit a slow
// dependency turns the stage into a queue that nobody sees. First come first served. Loop thread
// only; it outlives its permits.
#ifndef PLUGINS_SDK_SLOTS_H_
#define PLUGINS_SDK_SLOTS_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "services/async/async.h"

namespace fermata {

class Slots {
 public:
  // `what` is for the message: "processes".
  Slots(std::string what, std::size_t slots, std::size_t waiting_max)
      : what_(std::move(what)), slots_(slots), waiting_max_(waiting_max), semaphore_(slots) {}

  std::size_t used() const noexcept { return slots_ - semaphore_.available(); }
  std::size_t waiting() const noexcept { return waiting_; }

  // Wakes with a slot. ResourceExhausted at once when too many wait already. On cancel: gives up
  // its place. On shutdown: as cancelled.
  Co<absl::StatusOr<Semaphore::Permit>> acquire() {
    if (semaphore_.available() == 0 && waiting_ >= waiting_max_) {
      co_return absl::ResourceExhaustedError(
          absl::StrCat("all ", slots_, " ", what_, " are in use and ", waiting_, " calls wait, of ",
                       waiting_max_, " that may; try again later, or raise the limits"));
    }
    const Waiting counted(waiting_);
    Semaphore::Permit permit = co_await semaphore_.acquire();
    co_return std::move(permit);
  }

 private:
  struct Waiting {
    explicit Waiting(std::size_t& count) : count(count) { ++count; }
    Waiting(const Waiting&) = delete;
    ~Waiting() { --count; }
    std::size_t& count;
  };

  const std::string what_;
  const std::size_t slots_;
  const std::size_t waiting_max_;
  std::size_t waiting_ = 0;
  Semaphore semaphore_;
};

}  // namespace fermata

#endif  // PLUGINS_SDK_SLOTS_H_
