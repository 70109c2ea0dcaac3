// What the laboratory allows and what it writes down: the part of LabHost behind the table.
#include <unistd.h>

#include <utility>

#include "services/config/str_cat.h"
#include "services/plugin_kit/lab_host.h"
#include "services/plugin_kit/lab_waker.h"

namespace fermata::kit {
namespace {

std::string_view view_of(fermata_str text) { return {text.ptr, text.len}; }

bool metric_name(std::string_view name) {
  if (name.empty() || name.size() > 200) return false;
  for (char c : name) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) return false;
  }
  return name.front() < '0' || name.front() > '9';
}

}  // namespace

fermata_status LabHost::usable(LabCall& call, const char* function) {
  if (!on_loop()) {
    violate(Rule::kThread,
            str_cat(function,
                    " was called on another thread than the loop's; only waker_fire, "
                    "waker_drop, log and the buffer functions are [any]"));
    return FERMATA_E_INVALID;
  }
  if (call.life == LabState::kRunning) return FERMATA_OK;
  violate(Rule::kEnded, str_cat(function, " on a call that had ",
                                call.life == LabState::kEnding ? "returned" : "finished"));
  return FERMATA_E_CLOSED;
}

fermata_status LabHost::admit(LabCall& call, uint64_t token, uint32_t flags, const char* function) {
  if (const fermata_status status = usable(call, function); status != FERMATA_OK) return status;
  if (call.ops.count(token) != 0) {
    violate(Rule::kToken,
            str_cat(function, " with token ", token, ", which is outstanding already as ",
                    event_name(call.ops[token]->event.kind)));
    return FERMATA_E_INVALID;
  }
  if (call.root && call.instance->stage->instance_event == nullptr) {
    violate(Rule::kToken, str_cat(function,
                                  " on the root call, but the stage has no "
                                  "instance_event()"));
    return FERMATA_E_UNSUPPORTED;
  }
  // A shielded op of the root call is what SDKs' own loops stand on: never refused.
  if (call.root && (flags & FERMATA_OP_SHIELD) != 0) return FERMATA_OK;
  ++ops_;
  if (call.cancelled != 0 && (flags & FERMATA_OP_SHIELD) == 0) return FERMATA_E_CANCELLED;
  if (ops_ == plan_.refuse_op && !call.root) {
    fault_happened_ = true;
    return FERMATA_E_NOMEM;
  }
  return FERMATA_OK;
}

LabOp& LabHost::add_op(LabCall& call, uint64_t token, uint32_t flags, uint32_t kind) {
  auto op = std::make_unique<LabOp>();
  op->call = &call;
  op->flags = flags;
  op->event.struct_size = sizeof op->event;
  op->event.kind = kind;
  op->event.token = token;
  return *(call.ops[token] = std::move(op));
}

fermata_status LabHost::emit(LabCall& call, const fermata_buf& bytes, uint32_t flags) {
  if (const fermata_status status = usable(call, "emit()"); status != FERMATA_OK) return status;
  if (call.root) {
    violate(Rule::kOutput, "emit() on the root call");
    return FERMATA_E_UNSUPPORTED;
  }
  const std::string text(reinterpret_cast<const char*>(bytes.ptr), bytes.len);
  if (call.has_output) {
    violate(Rule::kOutput, (flags & FERMATA_EMIT_FINAL) != 0
                               ? "a second emit() with FERMATA_EMIT_FINAL"
                               : "emit() of a chunk after the one with FERMATA_EMIT_FINAL");
    return FERMATA_E_INVALID;
  }
  if ((flags & FERMATA_EMIT_FINAL) != 0) {
    call.has_output = true;
    call.output = text;
    buffers_.seal(bytes);
    return FERMATA_OK;
  }
  if (call.credit == 0) {
    if (std::exchange(call.would_block, true)) {
      violate(Rule::kOutput, "emit() again after WOULD_BLOCK without waiting for a CREDIT event");
    }
    return FERMATA_WOULD_BLOCK;
  }
  --call.credit;
  call.chunks.push_back(text);
  buffers_.seal(bytes);
  return FERMATA_OK;
}

fermata_status LabHost::define(LabInstance& instance, const fermata_metric_def& def, uint32_t* id) {
  const std::string name(view_of(def.name));
  if (!instance.creating) {
    violate(Rule::kMetric, str_cat("metric_define(", name, ") outside of create()"));
    return FERMATA_E_CLOSED;
  }
  const auto wrong = [&](std::string_view what) {
    violate(Rule::kMetric, str_cat("metric ", name, " ", what));
  };
  if (!metric_name(name)) wrong("has a name that is not like \"fetched_total\" (a-z 0-9 _)");
  if (def.kind == FERMATA_METRIC_COUNTER && !name.ends_with("_total")) {
    wrong("is a counter and its name does not end in _total");
  }
  if (def.kind < FERMATA_METRIC_COUNTER || def.kind > FERMATA_METRIC_HISTOGRAM) {
    wrong(str_cat("has kind ", def.kind, ", expected 1 to 3"));
  }
  for (uint32_t i = 1; i < def.n_bounds; ++i) {
    if (!(def.bounds[i] > def.bounds[i - 1])) wrong("has bounds that do not rise");
  }
  for (uint32_t i = 0; i < def.n_labels; ++i) {
    if (!metric_name(view_of(def.labels[i]))) wrong("has a label that is not like \"code\"");
  }
  instance.metrics.push_back({name, def.kind, def.n_labels, {}});
  *id = static_cast<uint32_t>(instance.metrics.size());  // 0 is no metric
  return FERMATA_OK;
}

fermata_status LabHost::update(LabInstance& instance, uint32_t id, const fermata_str* labels,
                               uint32_t n) {
  constexpr size_t kMaxSeries = 10'000;
  if (id == 0 || id > instance.metrics.size()) {
    violate(Rule::kMetric,
            str_cat("metric_update() of id ", id, ", ", instance.metrics.size(), " are defined"));
    return FERMATA_E_INVALID;
  }
  LabMetric& metric = instance.metrics[id - 1];
  if (n != metric.labels) {
    violate(Rule::kMetric, str_cat("metric ", metric.name, " was updated with ", n,
                                   " label values, it has ", metric.labels, " labels"));
    return FERMATA_E_INVALID;
  }
  std::string series;
  for (uint32_t i = 0; i < n; ++i) str_append(&series, view_of(labels[i]), "\n");
  if (metric.series.size() < kMaxSeries) metric.series.insert(std::move(series));
  return FERMATA_OK;
}

fermata_status LabHost::new_waker(LabCall& call, uint64_t token, uint32_t flags,
                                  fermata_waker** out) {
  if (const fermata_status status = admit(call, token, flags, "waker_new()");
      status != FERMATA_OK) {
    return status;
  }
  add_op(call, token, flags, FERMATA_EV_WAKER);
  const std::lock_guard<std::mutex> lock(mail_mutex_);
  wakers_.push_back(std::make_unique<LabWaker>());
  LabWaker& waker = *wakers_.back();
  waker.host = this;
  waker.call = &call;
  waker.token = token;
  *out = reinterpret_cast<fermata_waker*>(&waker);
  return FERMATA_OK;
}

fermata_status LabHost::consume(fermata_waker* handle, uint64_t value, fermata_status status) {
  LabWaker& waker = *reinterpret_cast<LabWaker*>(handle);
  const std::lock_guard<std::mutex> lock(mail_mutex_);
  if (std::exchange(waker.consumed, true)) {
    foreign_violations_.push_back({Rule::kEnded, "a waker was fired or dropped twice"});
    return FERMATA_E_CLOSED;
  }
  if (waker.call->life != LabState::kRunning) return FERMATA_E_CLOSED;
  waker.value = value;
  waker.status = status;
  mail_.push_back(&waker);
  const uint64_t one = 1;
  (void)!::write(mail_fd_, &one, sizeof one);
  return FERMATA_OK;
}

}  // namespace fermata::kit
