#include "services/plugin_kit/lab_host.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "services/config/str_cat.h"
#include "services/plugin_kit/lab_waker.h"

namespace fermata::kit {
namespace {

int64_t thread_cpu_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

fermata_str str_of(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

const char* event_name(uint32_t kind) {
  static const char* const kNames[] = {"unknown",     "TIMER",  "FD",    "BLOCKING", "STAGE",
                                       "STAGE_CHUNK", "CREDIT", "WAKER", "WAKE"};
  return kind < std::size(kNames) ? kNames[kind] : kNames[0];
}

LabHost::LabHost(LabPlan plan)
    : plan_(plan),
      random_(plan.seed),
      loop_thread_(std::this_thread::get_id()),
      mail_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

LabHost::~LabHost() { ::close(mail_fd_); }

LabHost::Entry::Entry(LabHost& host, std::string_view where, bool counts)
    : host_(host), counts_(counts) {
  if (host.on_entry) host.on_entry(where);
  began_ns_ = thread_cpu_ns();
}

LabHost::Entry::~Entry() {
  if (!counts_) return;
  host_.longest_hold_ns_ = std::max(host_.longest_hold_ns_, thread_cpu_ns() - began_ns_);
}

// ---- instances --------------------------------------------------------------------------------

LabInstance* LabHost::create(const fermata_stage& stage, std::string_view config,
                             std::string* failure) {
  auto owned = std::make_unique<LabInstance>();
  LabInstance& instance = *owned;
  instance.host = this;
  instance.stage = &stage;
  instance.root.host = this;
  instance.root.instance = &instance;
  instance.root.root = true;
  instances_.push_back(std::move(owned));
  // Borrowed until create() returns: unreadable afterwards.
  const fermata_buf text = buffers_.make(config);
  instance.creating = true;
  fermata_status status = FERMATA_OK;
  {
    const Entry entry(*this, "create()", false);
    status = stage.create(reinterpret_cast<fermata_instance*>(&instance),
                          {reinterpret_cast<const char*>(text.ptr), text.len}, &instance.object);
  }
  instance.creating = false;
  LabBuffers::release(text.ref);
  if (status == FERMATA_OK) {
    instance.alive = true;
    return &instance;
  }
  if (status > 0 || status < FERMATA_E_LOST) {
    violate(Rule::kStatus, str_cat("create() returned ", status, ", expected OK or an error"));
  }
  instance.root.life = LabState::kFinished;
  std::erase_if(ready_, [&](LabOp* op) { return op->call == &instance.root; });
  instance.root.ops.clear();
  if (failure != nullptr) *failure = str_cat("status ", status, ": ", instance.failure);
  return nullptr;
}

void LabHost::destroy(LabInstance& instance) {
  if (!std::exchange(instance.alive, false)) return;
  cancel(instance.root, FERMATA_CANCEL_SHUTDOWN);
  while (!instance.root.ops.empty() && step()) {
  }
  if (!instance.root.ops.empty()) {
    violate(Rule::kHang, str_cat("the root call still waits for ", instance.root.ops.size(),
                                 " ops after it was cancelled: destroy() would never come"));
    return;
  }
  {
    const Entry entry(*this, "destroy()", false);
    instance.stage->destroy(instance.object);
  }
  instance.root.life = LabState::kFinished;
  // What destroy() itself may have begun has nobody to come back to.
  std::erase_if(ready_, [&](LabOp* op) { return op->call == &instance.root; });
  instance.root.ops.clear();
}

// ---- calls ------------------------------------------------------------------------------------

LabCall& LabHost::start(LabInstance& instance, std::string_view input, uint64_t timeout_ns) {
  calls_.push_back(std::make_unique<LabCall>());
  LabCall& call = *calls_.back();
  call.host = this;
  call.instance = &instance;
  call.job_id = str_cat("lab-", calls_.size());
  call.credit = plan_.credit;
  call.deadline_ns = timeout_ns == 0 ? 0 : now_ns_ + timeout_ns;
  running_.push_back(&call);
  const fermata_buf bytes = buffers_.make(input);
  buffers_.seal(bytes);
  fermata_request request{};
  request.struct_size = sizeof request;
  request.job_id = str_of(call.job_id);
  request.attempt = 1;
  request.deadline_ns = call.deadline_ns;
  request.input = bytes;
  ++call.entries;
  fermata_status status = FERMATA_OK;
  {
    const Entry entry(*this, "start()");
    status = instance.stage->start(instance.object, reinterpret_cast<fermata_call*>(&call),
                                   &request, &call.state);
  }
  // R5: whoever did not retain it cannot read it any more.
  LabBuffers::release(bytes.ref);
  settle(call, status, "start()");
  return call;
}

void LabHost::settle(LabCall& call, fermata_status returned, const char* function) {
  if (returned == FERMATA_PENDING) {
    if (!call.ops.empty()) return;
    violate(Rule::kHang, str_cat(function,
                                 " returned PENDING with nothing outstanding: the call "
                                 "would wait for ever"));
    return finish(call, FERMATA_E_INTERNAL);
  }
  // Passing on what the laboratory made up is no fault.
  const bool made_up = plan_.fail_event != 0 && returned == plan_.failure;
  if (returned > 0 || (returned < FERMATA_E_LOST && !made_up)) {
    violate(Rule::kStatus, str_cat(function, " returned ", returned,
                                   ", expected OK, PENDING or an error of "
                                   "fermata_abi.h"));
    returned = FERMATA_E_INTERNAL;
  }
  finish(call, returned);
}

void LabHost::finish(LabCall& call, fermata_status status) {
  call.life = LabState::kEnding;
  call.status = status;
  std::erase_if(ready_, [&](LabOp* op) { return op->call == &call; });
  call.ops.clear();
  if (call.state != nullptr) {
    const Entry entry(*this, "finish()");
    call.instance->stage->finish(call.state);
  }
  call.life = LabState::kFinished;
  call.ended_ns = now_ns_;
  std::erase(running_, &call);
}

void LabHost::cancel(LabCall& call, uint32_t reason) {
  if (call.life != LabState::kRunning || call.cancelled.load() != 0) return;
  call.cancelled.store(reason);
  call.cancelled_ns = now_ns_;
  std::vector<LabOp*> ended;
  for (const auto& [token, op] : call.ops) {
    if (!op->completed && (op->flags & FERMATA_OP_SHIELD) == 0) ended.push_back(op.get());
  }
  for (LabOp* op : ended) {
    op->event.value = reason;
    if (op->event.kind == FERMATA_EV_BLOCKING) run_blocking(*op);  // not interruptible, but asked
    op->completed = false;
    std::erase(ready_, op);
    complete(*op, FERMATA_E_CANCELLED);
  }
}

void LabHost::run(LabCall& call) {
  // More events than any sane call needs, so that a loop between plugin and host is an end too.
  constexpr uint32_t kMaxEvents = 1'000'000;
  focus_ = &call;
  const uint32_t limit = events_ + kMaxEvents;
  while (call.life == LabState::kRunning && events_ < limit && step()) {
  }
  focus_ = nullptr;
  if (call.life != LabState::kRunning) return;
  std::string waits;
  for (const auto& [token, op] : call.ops) {
    str_append(&waits, waits.empty() ? "" : ", ", event_name(op->event.kind), " ", token);
  }
  violate(Rule::kHang,
          str_cat(call.cancelled != 0 ? "a cancelled call" : "a call",
                  " made no progress any more; it waits for ", waits.empty() ? "nothing" : waits));
  finish(call, FERMATA_E_INTERNAL);
}

// ---- what went wrong --------------------------------------------------------------------------

void LabHost::violate(Rule rule, std::string what) {
  constexpr size_t kMaxViolations = 1000;
  if (!on_loop()) {
    const std::lock_guard<std::mutex> lock(mail_mutex_);
    if (foreign_violations_.size() < kMaxViolations) {
      foreign_violations_.push_back({rule, std::move(what)});
    }
    return;
  }
  if (violations_.size() < kMaxViolations) violations_.push_back({rule, std::move(what)});
}

const std::vector<Violation>& LabHost::violations() {
  for (std::string& fault : buffers_.take_faults()) violate(Rule::kBuffer, std::move(fault));
  std::vector<Violation> foreign;
  {
    const std::lock_guard<std::mutex> lock(mail_mutex_);
    foreign = std::exchange(foreign_violations_, {});
  }
  for (Violation& violation : foreign) violations_.push_back(std::move(violation));
  return violations_;
}

size_t LabHost::live_wakers() const {
  const std::lock_guard<std::mutex> lock(mail_mutex_);
  return static_cast<size_t>(std::count_if(wakers_.begin(), wakers_.end(),
                                           [](const auto& waker) { return !waker->consumed; }));
}

}  // namespace fermata::kit
