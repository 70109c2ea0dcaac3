#include "plugins/sdk/plugin_call.h"

#include <algorithm>
#include <coroutine>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "plugins/sdk/call_ops.h"
#include "plugins/sdk/status_codes.h"

namespace fermata {
namespace {

fermata_str str_of(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

PluginCall::PluginCall(PluginInstance& instance, fermata_call* handle,
                       const fermata_request& request)
    : Branch(FrameHandle()),
      instance_(instance),
      handle_(handle),
      input_(request.input),
      job_id_(request.job_id.ptr, request.job_id.len),
      deadline_ns_(request.deadline_ns == 0 ? TimerHeap::kNever
                                            : static_cast<int64_t>(request.deadline_ns)),
      attempt_(request.attempt) {
  if (input_.ref != nullptr) host().buf_retain(input_.ref);
}

PluginCall::~PluginCall() {
  if (input_.ref != nullptr) host().buf_release(input_.ref);
}

absl::Time PluginCall::deadline() const { return instance_.loop().to_time(deadline_ns_); }

void PluginCall::progress(double fraction, std::string_view note) {
  host().progress(handle_, fraction, str_of(note));
}

void PluginCall::log(LogLevel level, std::string_view message) {
  host().log(instance_.loop().instance(), handle_, static_cast<uint32_t>(level), str_of(message),
             nullptr, 0);
}

void PluginCall::set_retry_after(absl::Duration delay) {
  retry_after_ns_ = static_cast<uint64_t>(std::max<int64_t>(absl::ToInt64Nanoseconds(delay), 0));
}

Co<absl::Status> PluginCall::emit(std::string chunk) {
  const fermata_buf bytes = {reinterpret_cast<uint8_t*>(chunk.data()), chunk.size(), nullptr};
  for (;;) {
    const fermata_status status = host().emit(handle_, &bytes, 0);
    if (status == FERMATA_OK) co_return absl::OkStatus();
    if (status != FERMATA_WOULD_BLOCK) co_return from_abi(status, "the server refused a chunk");
    const fermata_status credit = co_await AwaitCredit(host(), handle_);
    if (credit != FERMATA_OK) co_return from_abi(credit, "no more credit for chunks");
  }
}

Co<absl::StatusOr<std::string>> PluginCall::call_stage(std::string stage, std::string input) {
  StageAnswer answer = co_await AwaitStage(host(), handle_, stage, input);
  if (answer.status == FERMATA_OK) co_return std::move(answer.text);
  if (answer.text.empty()) answer.text = "the server refused the call: no such stage?";
  co_return from_abi(answer.status, absl::StrCat(stage, ": ", answer.text));
}

// ---- between the host and the coroutine -------------------------------------------------------

fermata_status PluginCall::await_wake() noexcept {
  if (waiting_) return FERMATA_OK;
  fermata_status status =
      host().await_wake(handle_, kWakeToken, told_to_stop_ ? FERMATA_OP_SHIELD : 0);
  if (status == FERMATA_E_CANCELLED) {  // cancelled since the last event
    stop(host().is_cancelled(handle_));
    status = host().await_wake(handle_, kWakeToken, FERMATA_OP_SHIELD);
  } else if (status != FERMATA_OK && refused_ == FERMATA_OK) {
    // No way back to a coroutine that runs: it is stopped, and its end waited for.
    refused_ = status;
    stop(FERMATA_CANCEL_REQUESTED);
    status = host().await_wake(handle_, kWakeToken, FERMATA_OP_SHIELD);
  }
  waiting_ = status == FERMATA_OK;
  return status;
}

void PluginCall::handle_event(const fermata_event& event) noexcept {
  switch (event.kind) {
    case FERMATA_EV_WAKE:
      break;
    case FERMATA_EV_STAGE:
    case FERMATA_EV_STAGE_CHUNK:
    case FERMATA_EV_CREDIT:
      reinterpret_cast<CallOpAwaiter*>(event.token)->complete(event);
      return;
    default:
      return;  // ops of a call are of no other kind
  }
  waiting_ = false;
  if (event.status != FERMATA_E_CANCELLED || ended_) return;
  stop(static_cast<uint32_t>(event.value));
}

void PluginCall::stop(uint32_t reason) noexcept {
  told_to_stop_ = true;
  switch (reason) {
    case FERMATA_CANCEL_DEADLINE:
      return request(CancelReason::kDeadline);
    case FERMATA_CANCEL_SHUTDOWN:
      return request(CancelReason::kShutdown);
    case FERMATA_CANCEL_SIBLING:
      return request(CancelReason::kSiblingFailed);
    default:
      return request(CancelReason::kRequested);
  }
}

fermata_status PluginCall::deliver_error(const absl::Status& status) noexcept {
  fermata_failure failure{};
  failure.struct_size = sizeof failure;
  failure.code = static_cast<uint32_t>(status.code());
  failure.message = {status.message().data(), status.message().size()};
  failure.retry_after_ns = retry_after_ns_;
  host().fail_detail(handle_, &failure);
  return to_abi(status.code());
}

fermata_status PluginCall::deliver_result() noexcept {
  if (was_cancelled()) return refused_ != FERMATA_OK ? refused_ : FERMATA_E_CANCELLED;
  using Handle = std::coroutine_handle<detail::Promise<Result>>;
  detail::Promise<Result>& promise = Handle::from_address(body().address()).promise();
  if (const std::exception_ptr exception = promise.exception()) {
    return deliver_error(detail::exception_status(exception));
  }
  Result& result = promise.value();
  if (!result.ok()) return deliver_error(result.status());
  fermata_buf output;
  if (host().buf_alloc(handle_, result->size(), &output) != FERMATA_OK) return FERMATA_E_NOMEM;
  std::memcpy(output.ptr, result->data(), result->size());
  const fermata_status status = host().emit(handle_, &output, FERMATA_EMIT_FINAL);
  host().buf_release(output.ref);
  return status;
}

}  // namespace fermata
