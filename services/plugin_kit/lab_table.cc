// The functions that a plugin gets from the laboratory.
#include <cmath>

#include "services/config/str_cat.h"
#include "services/plugin_kit/lab_host.h"
#include "services/plugin_kit/lab_waker.h"

namespace fermata::kit {
namespace {

std::string_view view_of(fermata_str text) { return {text.ptr, text.len}; }

}  // namespace

struct LabTable {
  static LabCall& call_of(fermata_call* call) { return *reinterpret_cast<LabCall*>(call); }
  static LabInstance& instance_of(fermata_instance* instance) {
    return *reinterpret_cast<LabInstance*>(instance);
  }

  static const void* extension(fermata_str) noexcept { return nullptr; }
  static uint64_t now_ns(fermata_instance* instance) noexcept {
    LabHost& host = *instance_of(instance).host;
    if (!host.on_loop()) host.violate(Rule::kThread, "now_ns() was called on a foreign thread");
    return host.now_ns_;
  }
  static int64_t unix_ns(fermata_instance* instance) noexcept {
    constexpr int64_t kStartOf2026 = int64_t{1'767'225'600} * 1'000'000'000;
    return kStartOf2026 + static_cast<int64_t>(now_ns(instance));
  }
  static void log(fermata_instance* instance, fermata_call* call, uint32_t level, fermata_str text,
                  const fermata_kv*, uint32_t) noexcept {
    LabHost& host = *instance_of(instance).host;
    if (level > FERMATA_LOG_ERROR) {
      host.violate(Rule::kStatus, str_cat("log() with level ", level, ", expected 0 to 3"));
    }
    if (text.ptr == nullptr && text.len > 0) host.violate(Rule::kStatus, "log() of a null text");
    if (call != nullptr && !host.on_loop() && !call_of(call).working) {
      host.violate(Rule::kThread, "log() with a call, on a thread that is not the call's");
    }
  }
  static fermata_status buf_alloc(fermata_call* call, size_t size, fermata_buf* out) noexcept {
    LabHost& host = *call_of(call).host;
    if (host.on_loop() && ++host.buffer_count_ == host.plan_.refuse_buffer) {
      host.fault_happened_ = true;
      *out = {nullptr, 0, nullptr};
      return FERMATA_E_NOMEM;
    }
    *out = host.buffers_.allocate(size);
    return out->ref != nullptr ? FERMATA_OK : FERMATA_E_NOMEM;
  }
  static void buf_retain(fermata_bufref* ref) noexcept { LabBuffers::retain(ref); }
  static void buf_release(fermata_bufref* ref) noexcept { LabBuffers::release(ref); }
  static fermata_call* instance_call(fermata_instance* instance) noexcept {
    return reinterpret_cast<fermata_call*>(&instance_of(instance).root);
  }

  static fermata_status sleep_until(fermata_call* handle, uint64_t token, uint64_t due_ns,
                                    uint32_t flags) noexcept {
    LabCall& call = call_of(handle);
    const fermata_status status = call.host->admit(call, token, flags, "sleep_until()");
    if (status == FERMATA_OK) {
      call.host->add_op(call, token, flags, FERMATA_EV_TIMER).due_ns = due_ns;
    }
    return status;
  }
  static fermata_status poll_fd(fermata_call* handle, uint64_t token, int32_t fd, uint32_t events,
                                uint32_t flags) noexcept {
    LabCall& call = call_of(handle);
    const fermata_status status = call.host->admit(call, token, flags, "poll_fd()");
    if (status != FERMATA_OK) return status;
    if (fd < 0 || events == 0) {
      call.host->violate(Rule::kToken,
                         str_cat("poll_fd() of descriptor ", fd, " for events ", events));
      return FERMATA_E_INVALID;
    }
    LabOp& op = call.host->add_op(call, token, flags, FERMATA_EV_FD);
    op.fd = fd;
    op.poll_events = events;
    return FERMATA_OK;
  }
  static fermata_status offload(fermata_call* handle, uint64_t token, uint32_t pool,
                                uint32_t flags) noexcept {
    LabCall& call = call_of(handle);
    const fermata_stage& stage = *call.instance->stage;
    if (pool != 0) return FERMATA_E_UNSUPPORTED;
    if ((call.root ? stage.instance_blocking : stage.blocking) == nullptr) {
      call.host->violate(Rule::kToken, "offload() by a stage without blocking()");
      return FERMATA_E_UNSUPPORTED;
    }
    if ((call.root ? call.instance->object : call.state) == nullptr) {
      call.host->violate(Rule::kToken, "offload() before *state (or *inst) was set");
      return FERMATA_E_INVALID;
    }
    const fermata_status status = call.host->admit(call, token, flags, "offload()");
    if (status == FERMATA_OK) call.host->add_op(call, token, flags, FERMATA_EV_BLOCKING);
    return status;
  }
  static fermata_status call_stage(fermata_call* handle, uint64_t token, fermata_str stage,
                                   const fermata_buf* input, uint64_t, uint32_t flags) noexcept {
    LabCall& call = call_of(handle);
    if (input == nullptr || stage.len == 0) {
      call.host->violate(Rule::kToken, "call_stage() without a stage or an input");
      return FERMATA_E_INVALID;
    }
    const fermata_status status = call.host->admit(call, token, flags, "call_stage()");
    if (status == FERMATA_OK) {
      call.host->add_op(call, token, flags, FERMATA_EV_STAGE)
          .input.assign(reinterpret_cast<const char*>(input->ptr), input->len);
    }
    return status;
  }
  static fermata_status await_credit(fermata_call* handle, uint64_t token,
                                     uint32_t flags) noexcept {
    LabCall& call = call_of(handle);
    const fermata_status status = call.host->admit(call, token, flags, "await_credit()");
    if (status == FERMATA_OK) call.host->add_op(call, token, flags, FERMATA_EV_CREDIT);
    return status;
  }
  static fermata_status await_wake(fermata_call* handle, uint64_t token, uint32_t flags) noexcept {
    LabCall& call = call_of(handle);
    const fermata_status status = call.host->admit(call, token, flags, "await_wake()");
    if (status == FERMATA_OK) call.host->add_op(call, token, flags, FERMATA_EV_WAKE);
    return status;
  }
  static fermata_status wake(fermata_call* handle, uint64_t token, uint64_t value) noexcept {
    LabCall& call = call_of(handle);
    const fermata_status status = call.host->usable(call, "wake()");
    if (status != FERMATA_OK) return status;
    const auto found = call.ops.find(token);
    if (found == call.ops.end() || found->second->completed ||
        found->second->event.kind != FERMATA_EV_WAKE) {
      return FERMATA_E_INVALID;
    }
    found->second->event.value = value;
    call.host->complete(*found->second, FERMATA_OK);
    return FERMATA_OK;
  }
  static fermata_status cancel_op(fermata_call* handle, uint64_t token) noexcept {
    LabCall& call = call_of(handle);
    const fermata_status status = call.host->usable(call, "cancel_op()");
    if (status != FERMATA_OK) return status;
    const auto found = call.ops.find(token);
    if (found == call.ops.end()) return FERMATA_E_INVALID;
    if (found->second->completed) return FERMATA_OK;
    found->second->event.value = FERMATA_CANCEL_REQUESTED;
    // Offloaded code is not interrupted: it runs when its turn comes.
    if (found->second->event.kind == FERMATA_EV_BLOCKING) return FERMATA_OK;
    call.host->complete(*found->second, FERMATA_E_CANCELLED);
    return FERMATA_OK;
  }
  static fermata_status waker_new(fermata_call* handle, uint64_t token, uint32_t flags,
                                  fermata_waker** out) noexcept {
    LabCall& call = call_of(handle);
    return call.host->new_waker(call, token, flags, out);
  }
  static fermata_status waker_fire(fermata_waker* waker, uint64_t value) noexcept {
    return reinterpret_cast<LabHost::LabWaker*>(waker)->host->consume(waker, value, FERMATA_OK);
  }
  static fermata_status waker_drop(fermata_waker* waker) noexcept {
    return reinterpret_cast<LabHost::LabWaker*>(waker)->host->consume(waker, 0,
                                                                      FERMATA_E_CANCELLED);
  }

  static fermata_status emit(fermata_call* call, const fermata_buf* bytes,
                             uint32_t flags) noexcept {
    if (bytes == nullptr) return FERMATA_E_INVALID;
    return call_of(call).host->emit(call_of(call), *bytes, flags);
  }
  static bool own_thread(LabCall& call, const char* function) {
    if (call.host->on_loop() || call.working) return true;
    call.host->violate(Rule::kThread,
                       str_cat(function, " on a thread that is neither the loop's nor the call's"));
    return false;
  }
  static void progress(fermata_call* handle, double fraction, fermata_str) noexcept {
    LabCall& call = call_of(handle);
    if (!own_thread(call, "progress()") || std::isnan(fraction)) return;
    if (fraction < 0 || fraction > 1) {
      call.host->violate(Rule::kProgress, str_cat("progress(", fraction, "), expected 0 to 1"));
    } else if (fraction < call.progress) {
      call.host->violate(Rule::kProgress,
                         str_cat("progress went back from ", call.progress, " to ", fraction));
    }
    call.progress = fraction;
  }
  static void fail_detail(fermata_call* handle, const fermata_failure* failure) noexcept {
    LabCall& call = call_of(handle);
    if (failure == nullptr || !own_thread(call, "fail_detail()")) return;
    (call.root ? call.instance->failure : call.failure) = std::string(view_of(failure->message));
  }
  static uint32_t is_cancelled(fermata_call* handle) noexcept {
    LabCall& call = call_of(handle);
    (void)own_thread(call, "is_cancelled()");
    return call.cancelled.load();
  }
  static fermata_status metric_define(fermata_instance* instance, const fermata_metric_def* def,
                                      uint32_t* id) noexcept {
    if (def == nullptr || id == nullptr) return FERMATA_E_INVALID;
    return instance_of(instance).host->define(instance_of(instance), *def, id);
  }
  static fermata_status metric_update(fermata_instance* instance, uint32_t id, double,
                                      const fermata_str* labels, uint32_t n) noexcept {
    LabHost& host = *instance_of(instance).host;
    if (!host.on_loop()) {
      host.violate(Rule::kThread, "metric_update() on another thread than the loop's");
      return FERMATA_E_INVALID;
    }
    return host.update(instance_of(instance), id, labels, n);
  }
};

const fermata_host& LabHost::table() {
  static constexpr fermata_host kTable = {
      .struct_size = sizeof(fermata_host),
      .abi_major = FERMATA_ABI_MAJOR,
      .abi_minor = FERMATA_ABI_MINOR,
      .name = {"fermata-lab", 11},
      .version = {"0.1.0", 5},
      .extension = LabTable::extension,
      .now_ns = LabTable::now_ns,
      .unix_ns = LabTable::unix_ns,
      .log = LabTable::log,
      .buf_alloc = LabTable::buf_alloc,
      .buf_retain = LabTable::buf_retain,
      .buf_release = LabTable::buf_release,
      .instance_call = LabTable::instance_call,
      .sleep_until = LabTable::sleep_until,
      .poll_fd = LabTable::poll_fd,
      .offload = LabTable::offload,
      .call_stage = LabTable::call_stage,
      .await_credit = LabTable::await_credit,
      .await_wake = LabTable::await_wake,
      .wake = LabTable::wake,
      .cancel_op = LabTable::cancel_op,
      .waker_new = LabTable::waker_new,
      .waker_fire = LabTable::waker_fire,
      .waker_drop = LabTable::waker_drop,
      .emit = LabTable::emit,
      .progress = LabTable::progress,
      .fail_detail = LabTable::fail_detail,
      .is_cancelled = LabTable::is_cancelled,
      .metric_define = LabTable::metric_define,
      .metric_update = LabTable::metric_update,
  };
  return kTable;
}

}  // namespace fermata::kit
