// The part of LabHost that makes things happen: one event a step.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "services/config/str_cat.h"
#include "services/plugin_kit/lab_host.h"
#include "services/plugin_kit/lab_waker.h"

namespace fermata::kit {
namespace {

// How long real things (sockets, threads of the plugin's own) are waited for before virtual time
// goes on, and before the call counts as stuck.
constexpr int kDescriptorPatienceMs = 20;
constexpr int kStuckPatienceMs = 2000;
constexpr uint32_t kUnknownKind = 999;

}  // namespace

void LabHost::complete(LabOp& op, fermata_status status) {
  op.completed = true;
  op.event.status = status;
  ready_.push_back(&op);
}

std::vector<LabCall*> LabHost::all_calls() {
  std::vector<LabCall*> calls = running_;
  for (const std::unique_ptr<LabInstance>& instance : instances_) {
    if (instance->root.life == LabState::kRunning) calls.push_back(&instance->root);
  }
  return calls;
}

bool LabHost::step() {
  take_mail();
  if (ready_.empty() && !complete_one() && !complete_waiting(0)) {
    bool descriptors = false;
    for (LabCall* call : all_calls()) {
      for (const auto& [token, op] : call->ops) descriptors = descriptors || op->fd >= 0;
    }
    if (!(descriptors && complete_waiting(kDescriptorPatienceMs)) && !fire_timer() &&
        !complete_waiting(kStuckPatienceMs)) {
      return false;
    }
  }
  if (ready_.empty()) return true;  // a deadline passed, and everything is shielded
  const size_t at = plan_.seed == 0 ? 0 : random_() % ready_.size();
  LabOp* op = ready_[at];
  ready_.erase(ready_.begin() + static_cast<std::ptrdiff_t>(at));
  deliver(*op);
  return true;
}

// Ops that complete because the host says so.
bool LabHost::complete_one() {
  for (LabCall* call : all_calls()) {
    for (const auto& [token, op] : call->ops) {
      if (op->completed) continue;
      switch (op->event.kind) {
        case FERMATA_EV_BLOCKING:
          run_blocking(*op);
          return true;
        case FERMATA_EV_STAGE:  // the laboratory's other stage answers its input
          op->event.buf = buffers_.make(op->input);
          complete(*op, FERMATA_OK);
          return true;
        case FERMATA_EV_CREDIT:
          complete(*op, FERMATA_OK);
          return true;
        default:
          break;
      }
    }
  }
  return false;
}

// blocking() on a thread of its own, as the contract says; the loop waits for it.
void LabHost::run_blocking(LabOp& op) {
  LabCall& call = *op.call;
  const fermata_stage& stage = *call.instance->stage;
  if (on_entry) on_entry(call.root ? "instance_blocking()" : "blocking()");
  const uint64_t token = op.event.token;
  fermata_status returned = FERMATA_E_INTERNAL;
  call.working = true;
  std::thread worker([&] {
    returned = call.root ? stage.instance_blocking(call.instance->object, token)
                         : stage.blocking(call.state, token);
  });
  worker.join();
  call.working = false;
  complete(op, returned);
}

// Descriptors, and what threads of the plugin's own did.
bool LabHost::complete_waiting(int patience_ms) {
  std::vector<pollfd> polled = {{mail_fd_, POLLIN, 0}};
  std::vector<LabOp*> waiting = {nullptr};
  for (LabCall* call : all_calls()) {
    for (const auto& [token, op] : call->ops) {
      if (op->fd < 0 || op->completed) continue;
      polled.push_back({op->fd, static_cast<short>(op->poll_events), 0});
      waiting.push_back(op.get());
    }
  }
  if (::poll(polled.data(), polled.size(), patience_ms) <= 0) return false;
  for (size_t i = 1; i < polled.size(); ++i) {
    if (polled[i].revents == 0) continue;
    waiting[i]->event.value = static_cast<uint64_t>(polled[i].revents);
    complete(*waiting[i], FERMATA_OK);
  }
  take_mail();
  return !ready_.empty();
}

bool LabHost::fire_timer() {
  LabOp* first = nullptr;
  LabCall* expiring = nullptr;
  uint64_t at = UINT64_MAX;
  for (LabCall* call : all_calls()) {
    if (call->deadline_ns != 0 && call->cancelled == 0 && call->deadline_ns < at) {
      at = call->deadline_ns;
      expiring = call;
      first = nullptr;
    }
    for (const auto& [token, op] : call->ops) {
      if (op->event.kind != FERMATA_EV_TIMER || op->completed || op->due_ns >= at) continue;
      at = op->due_ns;
      first = op.get();
      expiring = nullptr;
    }
  }
  if (first == nullptr && expiring == nullptr) return false;
  now_ns_ = std::max(now_ns_, at);
  if (first != nullptr) {
    complete(*first, FERMATA_OK);
  } else {
    cancel(*expiring, FERMATA_CANCEL_DEADLINE);
  }
  return !ready_.empty() || expiring != nullptr;
}

void LabHost::take_mail() {
  uint64_t ignored = 0;
  (void)!::read(mail_fd_, &ignored, sizeof ignored);
  std::deque<LabWaker*> mail;
  {
    const std::lock_guard<std::mutex> lock(mail_mutex_);
    mail.swap(mail_);
  }
  for (const LabWaker* waker : mail) {
    if (waker->call->life != LabState::kRunning) continue;
    const auto found = waker->call->ops.find(waker->token);
    if (found == waker->call->ops.end() || found->second->completed) continue;
    found->second->event.value = waker->value;
    complete(*found->second, waker->status);
  }
}

// ---- delivery ---------------------------------------------------------------------------------

void LabHost::apply_plan(LabOp& op) {
  if (plan_.cancel_before_event == events_ && focus_ != nullptr) {
    fault_happened_ = true;
    cancel(*focus_, plan_.cancel_reason);
    // Either of the two comes first; the plugin has to live with both.
    if (plan_.cancel_wins && op.call == focus_ && (op.flags & FERMATA_OP_SHIELD) == 0) {
      op.event.status = FERMATA_E_CANCELLED;
      op.event.value = plan_.cancel_reason;
    }
  }
  if (plan_.fail_event != events_) return;
  const uint32_t kind = op.event.kind;
  // Timers, credit and wakes end OK or cancelled; what runs elsewhere may fail in any way. An
  // instance hears of cancellation once, when it is closed.
  const bool any = kind == FERMATA_EV_BLOCKING || kind == FERMATA_EV_STAGE;
  if (op.call->root ? !any : !any && plan_.failure != FERMATA_E_CANCELLED) return;
  if (op.event.status != FERMATA_OK) return;
  fault_happened_ = true;
  op.event.status = plan_.failure;
  if (plan_.failure == FERMATA_E_CANCELLED) op.event.value = FERMATA_CANCEL_REQUESTED;
}

void LabHost::deliver_strange(LabCall& call, const LabOp& op) {
  fermata_event strange = op.event;
  strange.kind = kUnknownKind;
  strange.status = FERMATA_OK;
  strange.value = UINT64_MAX;
  strange.buf = {nullptr, 0, nullptr};
  if (call.root) {
    if (call.instance->stage->instance_event == nullptr) return;
    const Entry entry(*this, "instance_event() with an event of unknown kind 999");
    call.instance->stage->instance_event(call.instance->object, &strange);
    return;
  }
  fermata_status returned = FERMATA_OK;
  {
    const Entry entry(*this, "resume() with an event of unknown kind 999");
    returned = call.instance->stage->resume(call.state, &strange);
  }
  if (returned == FERMATA_PENDING) return;
  violate(Rule::kStatus, str_cat("resume() answered an event of unknown kind 999 with ", returned,
                                 ", expected PENDING"));
  finish(call, FERMATA_E_INTERNAL);
}

void LabHost::deliver(LabOp& op) {
  LabCall& call = *op.call;
  ++events_;
  apply_plan(op);
  if (plan_.strange_events) {
    deliver_strange(call, op);
    if (call.life != LabState::kRunning) return;
  }
  const std::unique_ptr<LabOp> owned = std::move(call.ops[op.event.token]);
  call.ops.erase(op.event.token);
  if (op.event.kind == FERMATA_EV_CREDIT && op.event.status == FERMATA_OK) {
    call.credit = std::max<uint32_t>(plan_.credit, 1);
    call.would_block = false;
  }
  const std::string where =
      str_cat(call.root ? "instance_event()" : "resume()", " with ", event_name(op.event.kind),
              " event ", events_, ", status ", op.event.status);
  const fermata_buf borrowed = op.event.buf;
  if (borrowed.ref != nullptr) buffers_.seal(borrowed);
  const fermata_stage& stage = *call.instance->stage;
  if (call.root) {
    const Entry entry(*this, where);
    stage.instance_event(call.instance->object, &op.event);
  } else {
    ++call.entries;
    fermata_status returned = FERMATA_OK;
    {
      const Entry entry(*this, where);
      returned = stage.resume(call.state, &op.event);
    }
    settle(call, returned, "resume()");
  }
  LabBuffers::release(borrowed.ref);
}

}  // namespace fermata::kit
