// Errors for clients: an absl::Status that also carries what a program needs to act on it.
//
// The detail travels as one payload of the status, so it survives co_await, Try and copies; the
// front end turns it into google.rpc details (ErrorInfo, RetryInfo, QuotaFailure, ...), the command
// line prints it. Each reason is one UPPER_SNAKE word that never changes its meaning; every value
// that the message mentions is in `metadata` too.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace fermata {

struct FieldViolation {
  std::string field;  // a path in the request: "job.input", "job.labels.tenant"
  std::string description;
};
struct QuotaViolation {
  std::string subject;  // the limit's name in fermata.yaml: "limits.jobs"
  std::string description;
};
struct PreconditionViolation {
  std::string type;     // as in reason
  std::string subject;  // "jobs/<id>"
  std::string description;
};
struct ResourceName {
  std::string type;  // "job", "pipeline", "stage"
  std::string name;
};

struct ErrorDetail {
  std::string reason;
  std::map<std::string, std::string> metadata;
  std::optional<absl::Duration> retry_delay;
  std::optional<ResourceName> resource;
  std::vector<FieldViolation> fields;
  std::vector<QuotaViolation> quotas;
  std::vector<PreconditionViolation> preconditions;
};

absl::Status with_detail(absl::Status status, const ErrorDetail& detail);
// Nothing when the status was not made by with_detail().
std::optional<ErrorDetail> detail_of(const absl::Status& status);

// What the engine answers with. Reasons:
//   INVALID_REQUEST                                             INVALID_ARGUMENT   fields
//   PAYLOAD_TOO_LARGE                                           INVALID_ARGUMENT   fields
//   PIPELINE_NOT_FOUND STAGE_NOT_FOUND JOB_NOT_FOUND            NOT_FOUND          resource
//   REQUEST_ID_REUSED                                           ALREADY_EXISTS     resource
//   TOO_MANY_JOBS TOO_MANY_BYTES                                RESOURCE_EXHAUSTED quotas, retry
//   DRAINING STORE_UNAVAILABLE                                  UNAVAILABLE        retry
//   JOB_FINISHED JOB_NOT_FINISHED                               FAILED_PRECONDITION preconditions
absl::Status invalid_field(std::string_view field, std::string_view description);
absl::Status payload_too_large(std::string_view field, size_t size, size_t limit);
absl::Status job_not_found(std::string_view id);
// `why` is a NOT_FOUND whose message names the nearest known name; its text is kept.
absl::Status pipeline_not_found(std::string_view name, const absl::Status& why);
absl::Status stage_not_found(std::string_view use, const absl::Status& why);
absl::Status request_id_reused(std::string_view request_id, std::string_view id);
absl::Status limit_reached(std::string_view reason, std::string_view limit_name, int64_t limit,
                           int64_t in_use, absl::Duration retry_delay);
absl::Status draining();
// The server ends before the job; the store keeps it, so the next start goes on with it.
absl::Status job_left(std::string_view id);
// `what` did not happen, or only in memory: how the message begins.
absl::Status store_unavailable(std::string_view what, const absl::Status& why,
                               absl::Duration retry_delay);
absl::Status job_finished(std::string_view id, std::string_view state);
absl::Status job_not_finished(std::string_view id, std::string_view state);

}  // namespace fermata
