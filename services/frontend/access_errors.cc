#include "services/frontend/access_errors.h"

#include "services/config/str_cat.h"
#include "services/engine/errors.h"

namespace fermata::frontend {
namespace {

absl::Status unauthenticated(std::string_view message, std::string_view reason) {
  ErrorDetail detail;
  detail.reason = std::string(reason);
  return with_detail(absl::UnauthenticatedError(for_absl(message)), detail);
}

}  // namespace

absl::Status credentials_missing() {
  return unauthenticated(
      "expected a token (authorization: Bearer fermata_...) or a client certificate that this "
      "server knows, got neither",
      "CREDENTIALS_MISSING");
}

absl::Status credentials_invalid() {
  return unauthenticated(
      "expected a token that this server knows (authorization: Bearer fermata_...), got another; "
      "was it revoked?",
      "CREDENTIALS_INVALID");
}

absl::Status credentials_expired(const Principal& principal) {
  const std::string when =
      absl::FormatTime(absl::RFC3339_sec, principal.expires, absl::UTCTimeZone());
  ErrorDetail detail;
  detail.reason = "CREDENTIALS_EXPIRED";
  detail.metadata = {{"credential", principal.credential}, {"expires", when}};
  return with_detail(absl::UnauthenticatedError(str_cat("expected credentials that are valid now, ",
                                                        principal.credential, " expired at ", when,
                                                        "; ask for a new one")),
                     detail);
}

absl::Status credentials_changed(const Principal& principal) {
  ErrorDetail detail;
  detail.reason = "CREDENTIALS_CHANGED";
  detail.metadata = {{"credential", principal.credential}};
  return with_detail(
      absl::UnauthenticatedError(str_cat(
          "expected credentials that stay in force while the call lasts, ", principal.credential,
          " was revoked or given other permissions meanwhile; call again with valid ones")),
      detail);
}

absl::Status permission_missing(const Principal& principal, Permission permission,
                                std::string_view queue) {
  ErrorDetail detail;
  detail.reason = "PERMISSION_MISSING";
  detail.metadata = {{"principal", principal.name}, {"permission", permission_name(permission)}};
  if (!queue.empty()) detail.metadata["queue"] = std::string(queue);
  return with_detail(absl::PermissionDeniedError(
                         str_cat("expected the permission '", permission_name(permission), "'",
                                 queue.empty() ? "" : str_cat(" on the queue '", queue, "'"),
                                 ", which ", principal.name, " has not been granted")),
                     detail);
}

absl::Status work_not_granted(const Principal& principal, std::string_view queue,
                              std::string_view what) {
  ErrorDetail detail;
  detail.reason = "PERMISSION_MISSING";
  detail.metadata = {{"principal", principal.name},
                     {"permission", permission_name(Permission::kSubmit)},
                     {"queue", std::string(queue)},
                     {"work", std::string(what)}};
  return with_detail(absl::PermissionDeniedError(str_cat(
                         "expected work that ", principal.name, " may submit to the queue '", queue,
                         "', got ", what, "; its grants name pipelines")),
                     detail);
}

}  // namespace fermata::frontend
