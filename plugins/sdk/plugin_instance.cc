#include "plugins/sdk/plugin_instance.h"

#include <optional>
#include <utility>

#include "plugins/sdk/plugin_call.h"
#include "plugins/sdk/status_codes.h"
#include "services/async/check.h"

namespace fermata {
namespace {

fermata_str str_of(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

void CallJoin::on_end(Branch& branch) noexcept {
  auto& call = static_cast<PluginCall&>(branch);
  call.mark_ended();
  // If the host is inside this very call, it is told by the return value; else it has to be led
  // back.
  if (call.instance().entered_call() != &call) {
    (void)call.host().wake(call.handle(), PluginCall::kWakeToken, 0);
  }
}

fermata_status PluginInstance::open(std::string_view config) noexcept {
  PluginLoop::Enter enter(loop_);
  parts_.emplace();
  absl::Status status;
  try {
    status = make_stage(config);
  } catch (...) {
    status = detail::exception_status(std::current_exception());
  }
  if (status.ok()) return FERMATA_OK;
  parts_->background.cancel(CancelReason::kShutdown);  // before what create() spawned can begin
  fermata_failure failure{};
  failure.struct_size = sizeof failure;
  failure.code = static_cast<uint32_t>(status.code());
  failure.message = {status.message().data(), status.message().size()};
  host().fail_detail(host().instance_call(loop_.instance()), &failure);
  return to_abi(status.code());
}

void PluginInstance::destroy(PluginInstance* instance) noexcept {
  {
    PluginLoop::Enter enter(instance->loop_);
    if (instance->parts_.has_value()) instance->parts_->background.cancel(CancelReason::kShutdown);
    enter.run();
    instance->drop_stage();
    instance->parts_.reset();
  }
  delete instance;
}

fermata_status PluginInstance::start(fermata_call* handle, const fermata_request& request,
                                     void** state) noexcept {
  PluginLoop::Enter enter(loop_);
  auto* call = new PluginCall(*this, handle, request);
  *state = call;
  try {
    call->set_body(run_stage(*call));
  } catch (...) {  // run() is a coroutine: this is out of memory, or a function that is none
    return FERMATA_E_INTERNAL;
  }
  call->start_soon(parts_->calls);
  entered_call_ = call;
  enter.run();
  entered_call_ = nullptr;
  return answer(*call);
}

fermata_status PluginInstance::resume(PluginCall& call, const fermata_event& event) noexcept {
  if (event.kind > FERMATA_EV_WAKE) return FERMATA_PENDING;  // a later minor's
  PluginInstance& self = call.instance();
  PluginLoop::Enter enter(self.loop_);
  self.entered_call_ = &call;
  call.handle_event(event);
  enter.run();
  self.entered_call_ = nullptr;
  return self.answer(call);
}

fermata_status PluginInstance::answer(PluginCall& call) noexcept {
  if (call.ended()) return call.deliver_result();
  const fermata_status status = call.await_wake();
  return status == FERMATA_OK ? FERMATA_PENDING : status;
}

void PluginInstance::handle(const fermata_event& event) noexcept {
  PluginLoop::Enter enter(loop_);
  if (!loop_.handle(event)) return;
  // The host asks the instance to end; its calls have ended already.
  loop_.begin_closing();
  parts_->background.cancel(CancelReason::kShutdown);
}

void PluginInstance::log(LogLevel level, std::string_view message) {
  host().log(loop_.instance(), nullptr, static_cast<uint32_t>(level), str_of(message), nullptr, 0);
}

// ---- metrics ----------------------------------------------------------------------------------

uint32_t PluginInstance::define(uint32_t kind, std::string_view name, std::string_view help,
                                const std::vector<std::string_view>& labels,
                                const std::vector<double>& bounds) {
  std::vector<fermata_str> names;
  for (std::string_view label : labels) names.push_back(str_of(label));
  fermata_metric_def def{};
  def.struct_size = sizeof def;
  def.kind = kind;
  def.name = str_of(name);
  def.help = str_of(help);
  def.labels = names.data();
  def.n_labels = static_cast<uint32_t>(names.size());
  def.bounds = bounds.data();
  def.n_bounds = static_cast<uint32_t>(bounds.size());
  uint32_t id = 0;
  if (host().metric_define(loop_.instance(), &def, &id) != FERMATA_OK) {
    log(LogLevel::kWarning, std::string("the server refused the metric ") + std::string(name));
  }
  return id;
}

PluginCounter PluginInstance::counter(std::string_view name, std::string_view help,
                                      std::vector<std::string_view> labels) {
  return PluginCounter(&host(), loop_.instance(),
                       define(FERMATA_METRIC_COUNTER, name, help, labels, {}));
}

PluginGauge PluginInstance::gauge(std::string_view name, std::string_view help,
                                  std::vector<std::string_view> labels) {
  return PluginGauge(&host(), loop_.instance(),
                     define(FERMATA_METRIC_GAUGE, name, help, labels, {}));
}

PluginHistogram PluginInstance::histogram(std::string_view name, std::string_view help,
                                          std::vector<double> bounds,
                                          std::vector<std::string_view> labels) {
  return PluginHistogram(&host(), loop_.instance(),
                         define(FERMATA_METRIC_HISTOGRAM, name, help, labels, bounds));
}

}  // namespace fermata
