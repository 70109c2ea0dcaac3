// WorkerMail: what blocking code says (progress, logs, the reason of a failure) on its way to the
// loop. A hand-over file.
//
// A worker may say more than the loop can hear, so the box is bounded: progress keeps the newest, a
// log beyond kMaxLogs is counted and dropped, and at most one note is in the post at a time.
// Ordering: everything is under one mutex; the note's post (release) and run (acquire) order the
// box's own life. The call outlives its blocking code, and the box is emptied by the loop before it
// learns that the code has returned. Only the note's own run ends its stay in the post: as long as
// it is there, another worker of the same call must not post it again.
#ifndef SERVICES_STAGES_WORKER_MAIL_H_
#define SERVICES_STAGES_WORKER_MAIL_H_

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/abi/fermata_abi.h"

namespace fermata {

struct FailureDetail {
  std::string message;
  uint32_t code = 0;
  uint64_t retry_after_ns = 0;

  static FailureDetail copy_of(const fermata_failure& failure);
};

class WorkerMail {
 public:
  static constexpr size_t kMaxLogs = 64;
  struct Log {
    uint32_t level;
    std::string message;
  };
  struct Letter {
    std::optional<double> fraction;
    std::string note;
    std::optional<FailureDetail> failure;
    std::vector<Log> logs;
    uint64_t logs_dropped = 0;
  };

  // Worker thread. True: nothing was waiting, so the loop has to be told.
  bool progress(double fraction, std::string_view note);
  bool log(uint32_t level, std::string_view message);
  bool fail(FailureDetail failure);

  // Loop thread: everything said so far.
  enum class Taker : uint8_t { kNote, kWorkerReturned };
  Letter take(Taker taker);

 private:
  bool note_posted();

  std::mutex mutex_;
  Letter letter_;
  bool in_post_ = false;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_WORKER_MAIL_H_
