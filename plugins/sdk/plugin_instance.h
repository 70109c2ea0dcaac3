// PluginInstance: the SDK behind one stage instance: its loop, its background tasks, and the calls
// that run in it.
//
// The ABI's functions of a stage (plugin.h) forward to this class; what depends on the stage's type
// is two virtuals. Host thread of the instance only, except blocking().
#ifndef PLUGINS_SDK_PLUGIN_INSTANCE_H_
#define PLUGINS_SDK_PLUGIN_INSTANCE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "plugins/abi/fermata_abi.h"
#include "plugins/sdk/instance.h"
#include "plugins/sdk/plugin_loop.h"
#include "services/async/co.h"
#include "services/async/task_group.h"

namespace fermata {

class PluginCall;

// Tells a call that its coroutine has ended. The waiting side is the host, so no frame is parked
// here.
class CallJoin final : public Join {
 public:
  CallJoin() = default;

 private:
  void on_end(Branch& branch) noexcept override;
  bool has_result() const noexcept override { return true; }
  const char* kind() const noexcept override { return "calls"; }
};

class PluginInstance : public Instance {
 public:
  ~PluginInstance() override = default;

  // Makes the stage object; `error` is told to the host when it is not ok.
  fermata_status open(std::string_view config) noexcept;
  // Loop entered by this function: the stage object and everything of it goes.
  static void destroy(PluginInstance* instance) noexcept;

  fermata_status start(fermata_call* call, const fermata_request& request, void** state) noexcept;
  static fermata_status resume(PluginCall& call, const fermata_event& event) noexcept;
  void handle(const fermata_event& event) noexcept;

  PluginLoop& loop() noexcept { return loop_; }
  const fermata_host& host() const noexcept { return loop_.host(); }
  CallJoin& calls() noexcept { return parts_->calls; }
  // The call that the host is inside of, and that can end by returning.
  PluginCall* entered_call() const noexcept { return entered_call_; }

  void log(LogLevel level, std::string_view message) override;
  PluginCounter counter(std::string_view name, std::string_view help,
                        std::vector<std::string_view> labels) override;
  PluginGauge gauge(std::string_view name, std::string_view help,
                    std::vector<std::string_view> labels) override;
  PluginHistogram histogram(std::string_view name, std::string_view help,
                            std::vector<double> bounds,
                            std::vector<std::string_view> labels) override;

 protected:
  PluginInstance(const fermata_host& host, fermata_instance* instance) : loop_(host, instance) {}
  virtual absl::Status make_stage(std::string_view config) = 0;
  virtual void drop_stage() noexcept = 0;
  virtual detail::Body<absl::StatusOr<std::string>> run_stage(Call& call) = 0;
  TaskGroup& group() override { return parts_->background; }

 private:
  // What must be made and destroyed inside the loop.
  struct Parts {
    OpenGroup background;
    CallJoin calls;
  };
  fermata_status answer(PluginCall& call) noexcept;
  uint32_t define(uint32_t kind, std::string_view name, std::string_view help,
                  const std::vector<std::string_view>& labels, const std::vector<double>& bounds);

  PluginLoop loop_;
  std::optional<Parts> parts_;
  PluginCall* entered_call_ = nullptr;
};

}  // namespace fermata

#endif  // PLUGINS_SDK_PLUGIN_INSTANCE_H_
