// Call: one attempt of one job in one stage, as the stage's run() sees it.
//
// Lives from before run() starts until after its frames are gone; run() takes it by reference.
// Everything is for the loop thread, except cancelled(), progress() and set_retry_after(), which
// offloaded code may use too.
#ifndef PLUGINS_SDK_CALL_H_
#define PLUGINS_SDK_CALL_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "plugins/abi/fermata_abi.h"
#include "services/async/co.h"

namespace fermata {

enum class LogLevel : uint32_t {
  kDebug = FERMATA_LOG_DEBUG,
  kInfo = FERMATA_LOG_INFO,
  kWarning = FERMATA_LOG_WARNING,
  kError = FERMATA_LOG_ERROR,
};

class Call {
 public:
  virtual ~Call() = default;
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // JSON text, checked against input_schema, defaults filled in. Valid as long as the Call.
  virtual std::string_view input() const = 0;
  virtual std::string_view job_id() const = 0;
  virtual uint32_t attempt() const = 0;  // 1 is the first
  virtual absl::Time deadline()
      const = 0;  // the call is cancelled then; InfiniteFuture without one

  // For CPU-bound code in offload(): stop early, nobody waits for the result.
  virtual bool cancelled() const = 0;
  // How much is done, 0..1, or NaN for unknown. Cheap enough for loops.
  virtual void progress(double fraction, std::string_view note = {}) = 0;
  virtual void log(LogLevel level, std::string_view message) = 0;
  // Goes with the error that run() is about to return: do not try again before this.
  virtual void set_retry_after(absl::Duration delay) = 0;

  // One chunk of a stream, before the result.
  //   wakes when   the reader has room
  //   on cancel    the chunk is not sent
  virtual Co<absl::Status> emit(std::string chunk) = 0;
  // Another stage's output ("plugin/stage"). It inherits the deadline and the cancellation.
  virtual Co<absl::StatusOr<std::string>> call_stage(std::string stage, std::string input) = 0;

 protected:
  Call() = default;
};

}  // namespace fermata

#endif  // PLUGINS_SDK_CALL_H_
