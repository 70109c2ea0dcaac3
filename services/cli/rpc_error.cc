#include "services/cli/rpc_error.h"

#include "google/rpc/code.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "services/cli/cat.h"
#include "services/cli/proto_time.h"
#include "services/cli/text.h"
#include "services/config/json.h"

namespace fermata::cli {
namespace {

struct Details {
  google::rpc::ErrorInfo info;
  google::rpc::BadRequest bad_request;
  google::rpc::QuotaFailure quota;
  google::rpc::RetryInfo retry;
};

Details details_of(const grpc::Status& status) {
  Details details;
  google::rpc::Status rich;
  if (!rich.ParseFromString(status.error_details())) return details;
  for (const google::protobuf::Any& any : rich.details()) {
    // Each kind comes at most once; a kind we do not know is for others.
    any.UnpackTo(&details.info) || any.UnpackTo(&details.bad_request) ||
        any.UnpackTo(&details.quota) || any.UnpackTo(&details.retry);
  }
  return details;
}

ExitCode exit_of(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::OK:
      return ExitCode::kOk;
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return ExitCode::kUnreachable;
    case grpc::StatusCode::CANCELLED:
      return ExitCode::kInterrupted;
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::UNKNOWN:
    case grpc::StatusCode::DATA_LOSS:
    case grpc::StatusCode::UNIMPLEMENTED:
      return ExitCode::kInternal;
    default:
      return ExitCode::kRefused;
  }
}

std::string json_of(const grpc::Status& status, const Details& details) {
  std::string json = cat("{\"error\":{\"code\":", json_quote(code_name(status.error_code())),
                         ",\"message\":", json_quote(printable(status.error_message())));
  if (!details.info.reason().empty()) {
    append(&json, ",\"reason\":", json_quote(details.info.reason()), ",\"metadata\":{");
    const char* comma = "";
    for (const auto& [key, value] : details.info.metadata()) {
      append(&json, comma, json_quote(key), ":", json_quote(printable(value)));
      comma = ",";
    }
    json += "}";
  }
  if (details.retry.has_retry_delay()) {
    append(&json, ",\"retry_delay\":",
           json_quote(absl::FormatDuration(duration_of(details.retry.retry_delay()))));
  }
  return json + "}}";
}

}  // namespace

std::string code_name(int code) {
  if (!google::rpc::Code_IsValid(code)) return cat(code);
  return google::rpc::Code_Name(static_cast<google::rpc::Code>(code));
}

RpcError describe(const grpc::Status& status, std::string_view server) {
  const Details details = details_of(status);
  RpcError error;
  error.exit = exit_of(status.error_code());
  error.json = json_of(status, details);
  // A server that answered says why itself; without a reason nobody did.
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE && details.info.reason().empty()) {
    error.text =
        cat("no answer from a fermatad at ", server, " (", printable(status.error_message()),
            ")\n  is it running? --server or FERMATA_SERVER names another");
    return error;
  }
  error.text = cat(code_name(status.error_code()), ": ", printable(status.error_message()));
  if (!details.info.reason().empty()) append(&error.text, " [", details.info.reason(), "]");
  for (const auto& violation : details.bad_request.field_violations()) {
    const std::string about = printable(violation.description());
    append(&error.text, "\n  ", printable(violation.field()), ": ", about);
  }
  for (const auto& violation : details.quota.violations()) {
    append(&error.text, "\n  limit ", printable(violation.subject()), ": ",
           printable(violation.description()));
  }
  if (details.retry.has_retry_delay()) {
    append(&error.text, "\n  try again in ",
           duration_text(duration_of(details.retry.retry_delay())));
  }
  return error;
}

}  // namespace fermata::cli
