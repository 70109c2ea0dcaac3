#include "services/stages/stage_instance.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/async/check.h"
#include "services/stages/absl_view.h"
#include "services/stages/buffer_ref.h"
#include "services/stages/current_call.h"
#include "services/stages/loaded_plugin.h"

namespace fermata {
namespace {

StageLogLevel log_level(uint32_t level) {
  return static_cast<StageLogLevel>(std::min<uint32_t>(level, FERMATA_LOG_ERROR));
}

}  // namespace

HostContext::HostContext(Loop& loop) : loop(loop), wakers(std::make_shared<WakerHub>(loop)) {
  wakers->on_log([this](const ForeignLog& entry) {
    if (!log) return;
    const StageInfo& info = entry.stage->info();
    log({info.plugin_id, info.name, "", log_level(entry.level), entry.message});
  });
}

// Wakers that plugins still hold find nobody from now on.
HostContext::~HostContext() { wakers->close(); }

StageInstance::StageInstance(HostContext& host, const fermata_stage& abi,
                             PluginGeneration& generation, std::shared_ptr<Stage> stage,
                             std::shared_ptr<PluginMetrics> metrics,
                             std::shared_ptr<const JsonSchema> input_schema)
    : host_(host),
      abi_(abi),
      generation_(generation),
      stage_(std::move(stage)),
      where_(CurrentCall::name(absl::StrCat(stage_->info().plugin_id, " ", stage_->info().version,
                                            " ", stage_->info().name))),
      input_schema_(std::move(input_schema)),
      metrics_(std::move(metrics)),
      log_limit_(/*per_second=*/20, /*burst=*/100),
      root_(*this, StageCall::RootTag()) {}

StageInstance::~StageInstance() {
  FERMATA_CHECK(!created_ || abandoned_, "an instance was freed before close() had ended");
}

absl::Status StageInstance::create(const std::string& config) {
  creating_ = true;
  metrics_->begin_definitions();
  fermata_status status = FERMATA_OK;
  {
    const InPlugin inside(where(), nullptr, 0);
    status = abi_.create(this, str_of(config), &object_);
  }
  creating_ = false;
  if (status == FERMATA_OK) {
    created_ = true;
    open_ = true;
    return absl::OkStatus();
  }
  object_ = nullptr;
  root_.retire();  // there is no object to hear of what it began
  return absl::FailedPreconditionError(
      absl::StrCat("create() returned ", absl_view(abi_status_name(status)), ": ",
                   create_failure_.message.empty() ? "no reason given" : create_failure_.message));
}

void StageInstance::preempt() {
  for (StageCall* call = first_call_; call != nullptr; call = call->next) call->preempt();
}

void StageInstance::close() {
  if (std::exchange(closing_, true)) return;
  open_ = false;
  for (StageCall* call = first_call_; call != nullptr; call = call->next)
    call->cancel(FERMATA_CANCEL_SHUTDOWN);
  destroy_if_quiet();
}

// First the calls, then the root call, then the object: each needs the ones after it.
void StageInstance::destroy_if_quiet() {
  if (!closing_ || calls_ > 0 || closed_.is_set()) return;
  if (!root_.quiet()) {
    root_.cancel(FERMATA_CANCEL_SHUTDOWN);
    return;
  }
  if (std::exchange(created_, false)) {
    const InPlugin inside(where(), nullptr, 0);
    abi_.destroy(std::exchange(object_, nullptr));
  }
  root_.retire();
  // What destroy() itself may have set in motion comes back here once more.
  if (root_.quiet()) closed_.set();
}

void StageInstance::abandon() {
  abandoned_ = true;
  log(nullptr, FERMATA_LOG_ERROR,
      "did not let go within the grace period after the server closed it");
  closed_.set();
}

StageCall& StageInstance::new_call(RunningCall::Owner& owner, StageCallSpec&& spec) {
  StageCall& added = *new StageCall(*this, &owner, std::move(spec));
  added.next = first_call_;
  if (first_call_ != nullptr) first_call_->previous = &added;
  first_call_ = &added;
  ++calls_;
  return added;
}

void StageInstance::remove_call(StageCall& call) {
  (call.previous != nullptr ? call.previous->next : first_call_) = call.next;
  if (call.next != nullptr) call.next->previous = call.previous;
  --calls_;
  delete &call;
  if (closing_) destroy_if_quiet();
}

void StageInstance::log_from_anywhere(uint32_t level, std::string message) {
  if (host_.on_loop_thread()) {
    log(nullptr, level, message);
    return;
  }
  // The record names the stage by value: the instance may be gone when it arrives.
  host_.wakers->send_log({stage_, level, std::move(message)});
}

void StageInstance::release(const fermata_buf& buf) const { release_ref(buf.ref); }

void StageInstance::log(const StageCall* call, uint32_t level, std::string_view message) {
  if (!log_limit_.admit(host_.loop.now_ns())) {
    ++counters().logs_dropped;
    return;
  }
  StageLogRecord record;
  record.plugin_id = stage_->info().plugin_id;
  record.stage = stage_->info().name;
  record.level = log_level(level);
  record.message = message;
  if (call != nullptr) {
    record.job_id = call->spec().job_id;
    if (call->spec().observer != nullptr) call->spec().observer->log(record.level, message);
  }
  if (host_.log) host_.log(record);
}

}  // namespace fermata
