// PluginCall: one call inside the plugin: the Call that run() sees, and the branch that its
// coroutine runs in.
//
// From start() to finish(). While it is PENDING one wake op is outstanding: it is how a coroutine
// that ends during somebody else's event brings the host back here, and how the host says that the
// call is cancelled.
#ifndef PLUGINS_SDK_PLUGIN_CALL_H_
#define PLUGINS_SDK_PLUGIN_CALL_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "plugins/abi/fermata_abi.h"
#include "plugins/sdk/call.h"
#include "plugins/sdk/plugin_instance.h"
#include "services/async/frame_pool.h"
#include "services/async/join.h"

namespace fermata {

class PluginCall final : public Call, public Branch {
 public:
  using Result = absl::StatusOr<std::string>;
  static constexpr uint64_t kWakeToken = 1;  // the other tokens are addresses

  PluginCall(PluginInstance& instance, fermata_call* handle, const fermata_request& request);
  ~PluginCall() override;
  static void* operator new(size_t bytes) noexcept { return fermata_frame_alloc(bytes); }
  static void operator delete(void* call, size_t bytes) noexcept {
    fermata_frame_free(call, bytes);
  }

  void set_body(detail::Body<Result> body) noexcept {
    Branch::set_body(detail::untyped(body.release()));
  }

  std::string_view input() const override {
    return {reinterpret_cast<const char*>(input_.ptr), input_.len};
  }
  std::string_view job_id() const override { return job_id_; }
  uint32_t attempt() const override { return attempt_; }
  absl::Time deadline() const override;
  bool cancelled() const override { return host().is_cancelled(handle_) != 0; }
  void progress(double fraction, std::string_view note) override;
  void log(LogLevel level, std::string_view message) override;
  void set_retry_after(absl::Duration delay) override;
  Co<absl::Status> emit(std::string chunk) override;
  Co<absl::StatusOr<std::string>> call_stage(std::string stage, std::string input) override;

  // Branch.
  std::int64_t deadline_ns() const noexcept override { return deadline_ns_; }
  absl::Status failure() const noexcept override { return absl::OkStatus(); }

  PluginInstance& instance() const noexcept { return instance_; }
  const fermata_host& host() const noexcept { return instance_.host(); }
  fermata_call* handle() const noexcept { return handle_; }
  bool ended() const noexcept { return ended_; }
  void mark_ended() noexcept { ended_ = true; }
  // Asks the host for the event that leads back here.
  fermata_status await_wake() noexcept;
  // The host's own event for this call.
  void handle_event(const fermata_event& event) noexcept;
  // The result, given to the host; requires ended().
  fermata_status deliver_result() noexcept;

 private:
  void stop(uint32_t reason) noexcept;
  fermata_status deliver_error(const absl::Status& status) noexcept;

  PluginInstance& instance_;
  fermata_call* const handle_;
  fermata_buf input_;
  std::string_view job_id_;  // the host keeps it until finish()
  std::int64_t deadline_ns_;
  uint64_t retry_after_ns_ = 0;
  fermata_status refused_ = FERMATA_OK;  // why the host would not bring us back
  uint32_t attempt_;
  bool waiting_ = false;  // the wake op is outstanding
  bool told_to_stop_ = false;
  bool ended_ = false;
};

}  // namespace fermata

#endif  // PLUGINS_SDK_PLUGIN_CALL_H_
