#include "services/frontend/rpc_status.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "services/config/utf8.h"
#include "services/engine/errors.h"

namespace fermata::frontend {
namespace {

constexpr size_t kMaxMessage = 1024;  // non-ASCII triples in a header
constexpr size_t kMaxText = 512;      // one description
constexpr size_t kMaxValue = 256;     // one metadata value
constexpr size_t kMaxEntries = 8;     // of each list
constexpr size_t kMaxDetails = 3072;  // serialized; base64 adds a third

std::string clip(std::string_view text, size_t most) {
  if (!is_utf8(text)) return utf8_preview(text, most);
  if (text.size() <= most) return std::string(text);
  const std::string_view head = text.substr(0, most - 3);
  return std::string(head.substr(0, utf8_valid_prefix(head))) + "...";
}

std::string reason_of_code(absl::StatusCode code) {
  return code == absl::StatusCode::kUnknown ? "UNKNOWN" : absl::StatusCodeToString(code);
}

google::rpc::ErrorInfo error_info(const ErrorDetail& detail, absl::StatusCode code) {
  google::rpc::ErrorInfo out;
  out.set_reason(detail.reason.empty() ? reason_of_code(code) : detail.reason);
  out.set_domain(kErrorDomain);
  size_t left = kMaxEntries;
  for (const auto& [key, value] : detail.metadata) {
    if (left-- == 0) break;
    (*out.mutable_metadata())[clip(key, 64)] = clip(value, kMaxValue);
  }
  return out;
}

// Adds details in the order of their worth; what no longer fits is left out.
class Details {
 public:
  void add(const google::protobuf::Message& detail, bool always = false) {
    google::protobuf::Any any;
    any.PackFrom(detail);
    const size_t size = any.ByteSizeLong();
    if (!always && used_ + size > kMaxDetails) return;
    used_ += size;
    *status.add_details() = std::move(any);
  }
  google::rpc::Status status;

 private:
  size_t used_ = 0;
};

google::rpc::BadRequest bad_request(const ErrorDetail& detail) {
  google::rpc::BadRequest out;
  for (const FieldViolation& violation : detail.fields) {
    auto* to = out.add_field_violations();
    to->set_field(clip(violation.field, kMaxValue));
    to->set_description(clip(violation.description, kMaxText));
    if (out.field_violations_size() == static_cast<int>(kMaxEntries)) break;
  }
  return out;
}

google::rpc::QuotaFailure quota_failure(const ErrorDetail& detail) {
  google::rpc::QuotaFailure out;
  for (const QuotaViolation& violation : detail.quotas) {
    auto* to = out.add_violations();
    to->set_subject(clip(violation.subject, kMaxValue));
    to->set_description(clip(violation.description, kMaxText));
  }
  return out;
}

google::rpc::PreconditionFailure precondition_failure(const ErrorDetail& detail) {
  google::rpc::PreconditionFailure out;
  for (const PreconditionViolation& violation : detail.preconditions) {
    auto* to = out.add_violations();
    to->set_type(clip(violation.type, kMaxValue));
    to->set_subject(clip(violation.subject, kMaxValue));
    to->set_description(clip(violation.description, kMaxText));
  }
  return out;
}

google::rpc::RetryInfo retry_info(absl::Duration delay) {
  google::rpc::RetryInfo out;
  const absl::Duration sane = std::clamp(delay, absl::ZeroDuration(), absl::Hours(24));
  const int64_t ns = absl::ToInt64Nanoseconds(sane);
  out.mutable_retry_delay()->set_seconds(ns / 1'000'000'000);
  out.mutable_retry_delay()->set_nanos(static_cast<int32_t>(ns % 1'000'000'000));
  return out;
}

google::rpc::ResourceInfo resource_info(const ResourceName& resource, const std::string& message) {
  google::rpc::ResourceInfo out;
  out.set_resource_type(absl::StrCat(kErrorDomain, "/", resource.type));
  out.set_resource_name(clip(resource.name, kMaxValue));
  out.set_description(clip(message, kMaxText));
  return out;
}

}  // namespace

grpc::Status to_rpc_status(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const ErrorDetail detail = detail_of(status).value_or(ErrorDetail());
  const std::string message = clip({status.message().data(), status.message().size()}, kMaxMessage);
  Details details;
  details.status.set_code(static_cast<int>(status.code()));
  details.status.set_message(message);
  details.add(error_info(detail, status.code()), /*always=*/true);
  if (detail.retry_delay.has_value()) details.add(retry_info(*detail.retry_delay), true);
  if (!detail.fields.empty()) details.add(bad_request(detail));
  if (!detail.quotas.empty()) details.add(quota_failure(detail));
  if (!detail.preconditions.empty()) details.add(precondition_failure(detail));
  if (detail.resource.has_value()) details.add(resource_info(*detail.resource, message));
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), message,
                      details.status.SerializeAsString());
}

}  // namespace fermata::frontend
