#include "services/stages/host_table.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/stages/absl_view.h"
#include "services/stages/buffer_ref.h"
#include "services/stages/handles.h"
#include "services/stages/loaded_plugin.h"
#include "services/stages/stage_call.h"
#include "services/stages/stage_instance.h"
#include "services/stages/waker.h"

namespace fermata {
namespace {

StageCall& call_of(fermata_call* call) { return *static_cast<StageCall*>(call); }
StageInstance& instance_of(fermata_instance* instance) {
  return *static_cast<StageInstance*>(instance);
}

const void* extension(fermata_str) noexcept { return nullptr; }

uint64_t now_ns(fermata_instance* instance) noexcept {
  return static_cast<uint64_t>(instance_of(instance).loop().now_ns());
}

int64_t unix_ns(fermata_instance* instance) noexcept {
  return absl::ToUnixNanos(instance_of(instance).loop().now());
}

void log(fermata_instance* instance, fermata_call* call, uint32_t level, fermata_str message,
         const fermata_kv* kv, uint32_t n_kv) noexcept {
  constexpr size_t kMaxMessage = 8192;
  std::string text(view_of(message).substr(0, kMaxMessage));
  for (uint32_t i = 0; i < n_kv && text.size() < kMaxMessage; ++i) {
    absl::StrAppend(&text, " ", absl_view(view_of(kv[i].key)), "=",
                    absl_view(view_of(kv[i].value).substr(0, 1024)));
  }
  if (call != nullptr && !call_of(call).is_root()) {
    call_of(call).log(level, text);
    return;
  }
  instance_of(instance).log_from_anywhere(level, std::move(text));
}

fermata_status buf_alloc(fermata_call*, size_t size, fermata_buf* out) noexcept {
  return allocate_bytes(size, *out) ? FERMATA_OK : FERMATA_E_NOMEM;
}

void buf_retain(fermata_bufref* ref) noexcept { retain_ref(ref); }
void buf_release(fermata_bufref* ref) noexcept { release_ref(ref); }

fermata_call* instance_call(fermata_instance* instance) noexcept {
  return &instance_of(instance).root();
}

fermata_status sleep_until(fermata_call* call, uint64_t token, uint64_t deadline_ns,
                           uint32_t flags) noexcept {
  return call_of(call).sleep_until(token, deadline_ns, flags);
}

fermata_status poll_fd(fermata_call* call, uint64_t token, int32_t fd, uint32_t events,
                       uint32_t flags) noexcept {
  return call_of(call).poll_fd(token, fd, events, flags);
}

fermata_status offload(fermata_call* call, uint64_t token, uint32_t pool, uint32_t flags) noexcept {
  if (pool != 0) return FERMATA_E_UNSUPPORTED;
  return call_of(call).offload(token, flags);
}

fermata_status call_stage(fermata_call* call, uint64_t token, fermata_str stage,
                          const fermata_buf* input, uint64_t deadline_ns, uint32_t flags) noexcept {
  if (input == nullptr) return FERMATA_E_INVALID;
  return call_of(call).call_stage(token, view_of(stage), *input, deadline_ns, flags);
}

fermata_status await_credit(fermata_call* call, uint64_t token, uint32_t flags) noexcept {
  return call_of(call).await_credit(token, flags);
}

fermata_status await_wake(fermata_call* call, uint64_t token, uint32_t flags) noexcept {
  return call_of(call).await_wake(token, flags);
}

fermata_status wake(fermata_call* call, uint64_t token, uint64_t value) noexcept {
  return call_of(call).wake(token, value);
}

fermata_status cancel_op(fermata_call* call, uint64_t token) noexcept {
  return call_of(call).cancel_op(token);
}

fermata_status waker_new(fermata_call* call, uint64_t token, uint32_t flags,
                         fermata_waker** out) noexcept {
  if (out == nullptr) return FERMATA_E_INVALID;
  return call_of(call).new_waker(token, flags, out);
}

fermata_status waker_fire(fermata_waker* waker, uint64_t value) noexcept {
  return static_cast<Waker*>(waker)->fire(value, FERMATA_OK);
}

fermata_status waker_drop(fermata_waker* waker) noexcept {
  return static_cast<Waker*>(waker)->fire(0, FERMATA_E_CANCELLED);
}

fermata_status emit(fermata_call* call, const fermata_buf* bytes, uint32_t flags) noexcept {
  if (bytes == nullptr) return FERMATA_E_INVALID;
  return call_of(call).emit(*bytes, flags);
}

void progress(fermata_call* call, double fraction, fermata_str note) noexcept {
  call_of(call).progress(fraction, view_of(note).substr(0, 1024));
}

void fail_detail(fermata_call* call, const fermata_failure* failure) noexcept {
  if (failure != nullptr) call_of(call).fail_detail(*failure);
}

uint32_t is_cancelled(fermata_call* call) noexcept { return call_of(call).cancel_reason(); }

fermata_status metric_define(fermata_instance* instance, const fermata_metric_def* def,
                             uint32_t* id) noexcept {
  if (def == nullptr || id == nullptr) return FERMATA_E_INVALID;
  if (!instance_of(instance).creating()) return FERMATA_E_CLOSED;
  return instance_of(instance).metrics().define(*def, id);
}

fermata_status metric_update(fermata_instance* instance, uint32_t id, double value,
                             const fermata_str* labels, uint32_t n) noexcept {
  return instance_of(instance).metrics().update(id, value, labels, n);
}

constexpr fermata_host kHost = {
    .struct_size = sizeof(fermata_host),
    .abi_major = FERMATA_ABI_MAJOR,
    .abi_minor = FERMATA_ABI_MINOR,
    .name = {"fermata", 7},
    .version = {"0.1.0", 5},
    .extension = extension,
    .now_ns = now_ns,
    .unix_ns = unix_ns,
    .log = log,
    .buf_alloc = buf_alloc,
    .buf_retain = buf_retain,
    .buf_release = buf_release,
    .instance_call = instance_call,
    .sleep_until = sleep_until,
    .poll_fd = poll_fd,
    .offload = offload,
    .call_stage = call_stage,
    .await_credit = await_credit,
    .await_wake = await_wake,
    .wake = wake,
    .cancel_op = cancel_op,
    .waker_new = waker_new,
    .waker_fire = waker_fire,
    .waker_drop = waker_drop,
    .emit = emit,
    .progress = progress,
    .fail_detail = fail_detail,
    .is_cancelled = is_cancelled,
    .metric_define = metric_define,
    .metric_update = metric_update,
};

}  // namespace

const fermata_host& host_table() { return kHost; }

}  // namespace fermata
