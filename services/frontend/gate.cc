#include "services/frontend/gate.h"

#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "services/engine/errors.h"
#include "services/frontend/access_errors.h"
#include "services/frontend/rpc_access.h"

namespace fermata::frontend {
namespace {

RefusalKind kind_of(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnauthenticated:
      return RefusalKind::kUnauthenticated;
    case absl::StatusCode::kPermissionDenied:
      return RefusalKind::kPermissionDenied;
    default:
      return RefusalKind::kOverload;
  }
}

bool is_about_who(const absl::Status& status) {
  return absl::IsUnauthenticated(status) || absl::IsPermissionDenied(status);
}

absl::Status refused(RpcHub& hub, RpcMethod method, const grpc::ServerContextBase& context,
                     Caller caller, absl::Status why) {
  hub.guard.refusals.refused[static_cast<size_t>(kind_of(why))].fetch_add(
      1, std::memory_order_relaxed);
  if (hub.guard.audit != nullptr && is_about_who(why)) {
    CallContext call;
    call.caller = std::move(caller);
    call.peer = context.peer();
    audit_end(hub, method, call, why);
  }
  return why;
}

}  // namespace

absl::StatusOr<CallContext> admit(RpcHub& hub, RpcMethod method,
                                  const grpc::ServerContextBase& context, size_t request_bytes) {
  absl::StatusOr<Caller> caller = hub.guard.authenticator.authenticate(context);
  if (!caller.ok()) return refused(hub, method, context, nullptr, caller.status());
  const Permission permission = access_of(method).permission;
  if (*caller != nullptr && !(*caller)->may(permission)) {
    return refused(hub, method, context, *caller, permission_missing(**caller, permission, ""));
  }
  absl::StatusOr<CallLease> lease =
      hub.guard.quota.admit(method == RpcMethod::kWatch, request_bytes,
                            *caller == nullptr ? "" : std::string_view((*caller)->name));
  if (!lease.ok()) return refused(hub, method, context, *caller, lease.status());
  const bool audited = hub.guard.audit != nullptr;
  return CallContext{
      *std::move(caller), *std::move(lease), audited ? context.peer() : "", {}, {}, {}};
}

void audit_end(RpcHub& hub, RpcMethod method, const CallContext& call, const absl::Status& status) {
  if (hub.guard.audit == nullptr) return;
  const bool refusal = is_about_who(status);
  if (!refusal && !access_of(method).audited) return;
  const ErrorDetail detail = detail_of(status).value_or(ErrorDetail());
  const std::string outcome = absl::StatusCodeToString(status.code());
  AuditEvent event;
  event.method = kRpcMethodNames[static_cast<size_t>(method)];
  event.outcome = outcome;
  event.reason = detail.reason;
  if (call.caller != nullptr) {
    event.principal = call.caller->name;
    event.credential = call.caller->credential;
  }
  event.peer = call.peer;
  event.resource = call.resource;
  event.queue = call.queue;
  event.work = call.work;
  event.refusal = refusal;
  hub.guard.audit->record(event, absl::Now());
}

}  // namespace fermata::frontend
