#include "services/engine/errors.h"

#include <charconv>
#include <utility>

#include "absl/strings/cord.h"
#include "services/config/str_cat.h"

namespace fermata {
namespace {

constexpr char kPayloadUrl[] = "fermata.dev/ErrorDetail";

// The payload is a row of "<length>:<text>" pieces; a list begins with its size as a piece. It
// never leaves the process.
class Writer {
 public:
  void put(std::string_view text) { str_append(&out_, text.size(), ":", text); }
  void put_count(size_t n) { put(str_cat(n)); }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}
  std::string get() {
    size_t size = 0;
    const auto [end, error] = std::from_chars(in_.data(), in_.data() + in_.size(), size);
    if (error != std::errc()) return "";
    in_.remove_prefix(static_cast<size_t>(end - in_.data()) + 1);
    std::string text(in_.substr(0, size));
    in_.remove_prefix(text.size());
    return text;
  }
  size_t get_count() { return static_cast<size_t>(get_int()); }
  int64_t get_int() {
    const std::string text = get();
    int64_t n = 0;
    std::from_chars(text.data(), text.data() + text.size(), n);
    return n;
  }

 private:
  std::string_view in_;
};

std::string encode(const ErrorDetail& detail) {
  Writer out;
  out.put(detail.reason);
  out.put_count(detail.metadata.size());
  for (const auto& [key, value] : detail.metadata) {
    out.put(key);
    out.put(value);
  }
  out.put(detail.retry_delay.has_value() ? str_cat(absl::ToInt64Nanoseconds(*detail.retry_delay))
                                         : "");
  out.put(detail.resource.has_value() ? detail.resource->type : "");
  out.put(detail.resource.has_value() ? detail.resource->name : "");
  out.put_count(detail.fields.size());
  for (const FieldViolation& field : detail.fields) {
    out.put(field.field);
    out.put(field.description);
  }
  out.put_count(detail.quotas.size());
  for (const QuotaViolation& quota : detail.quotas) {
    out.put(quota.subject);
    out.put(quota.description);
  }
  out.put_count(detail.preconditions.size());
  for (const PreconditionViolation& precondition : detail.preconditions) {
    out.put(precondition.type);
    out.put(precondition.subject);
    out.put(precondition.description);
  }
  return out.take();
}

ErrorDetail decode(std::string_view text) {
  Reader in(text);
  ErrorDetail detail;
  detail.reason = in.get();
  for (size_t n = in.get_count(); n > 0; --n) {
    std::string key = in.get();
    detail.metadata[std::move(key)] = in.get();
  }
  const std::string delay = in.get();
  int64_t delay_ns = 0;
  std::from_chars(delay.data(), delay.data() + delay.size(), delay_ns);
  if (!delay.empty()) detail.retry_delay = absl::Nanoseconds(delay_ns);
  ResourceName resource;
  resource.type = in.get();
  resource.name = in.get();
  if (!resource.type.empty()) detail.resource = std::move(resource);
  for (size_t n = in.get_count(); n > 0; --n) {
    std::string field = in.get();
    detail.fields.push_back({std::move(field), in.get()});
  }
  for (size_t n = in.get_count(); n > 0; --n) {
    std::string subject = in.get();
    detail.quotas.push_back({std::move(subject), in.get()});
  }
  for (size_t n = in.get_count(); n > 0; --n) {
    std::string type = in.get();
    std::string subject = in.get();
    detail.preconditions.push_back({std::move(type), std::move(subject), in.get()});
  }
  return detail;
}

absl::Status job_precondition(std::string_view reason, std::string_view id, std::string_view state,
                              std::string_view message) {
  ErrorDetail detail;
  detail.reason = reason;
  detail.metadata = {{"job", std::string(id)}, {"state", std::string(state)}};
  detail.preconditions.push_back({std::string(reason), str_cat("jobs/", id), std::string(message)});
  return with_detail(absl::FailedPreconditionError(for_absl(message)), detail);
}

}  // namespace

absl::Status with_detail(absl::Status status, const ErrorDetail& detail) {
  // As a view: clang 19 mangles Cord's constructor template for strings unlike g++ 12, which built
  // Debian's library.
  const std::string payload = encode(detail);
  status.SetPayload(kPayloadUrl, absl::Cord(absl::string_view(payload)));
  return status;
}

std::optional<ErrorDetail> detail_of(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kPayloadUrl);
  if (!payload.has_value()) return std::nullopt;
  return decode(std::string(*payload));
}

absl::Status invalid_field(std::string_view field, std::string_view description) {
  ErrorDetail detail;
  detail.reason = "INVALID_REQUEST";
  detail.metadata = {{"field", std::string(field)}, {"problem", std::string(description)}};
  detail.fields.push_back({std::string(field), std::string(description)});
  return with_detail(absl::InvalidArgumentError(str_cat(field, ": ", description)), detail);
}

absl::Status payload_too_large(std::string_view field, size_t size, size_t limit) {
  const std::string message = str_cat("expected at most ", limit, " bytes, got ", size,
                                      "; send a reference to the data instead");
  ErrorDetail detail;
  detail.reason = "PAYLOAD_TOO_LARGE";
  detail.metadata = {
      {"field", std::string(field)}, {"bytes", str_cat(size)}, {"limit", str_cat(limit)}};
  detail.fields.push_back({std::string(field), message});
  return with_detail(absl::InvalidArgumentError(str_cat(field, ": ", message)), detail);
}

absl::Status job_not_found(std::string_view id) {
  ErrorDetail detail;
  detail.reason = "JOB_NOT_FOUND";
  detail.metadata = {{"job", std::string(id)}};
  detail.resource = ResourceName{"job", str_cat("jobs/", id)};
  return with_detail(absl::NotFoundError(str_cat("no job '", id,
                                                 "': it never existed, was deleted, or is "
                                                 "older than the server keeps jobs")),
                     detail);
}

absl::Status pipeline_not_found(std::string_view name, const absl::Status& why) {
  ErrorDetail detail;
  detail.reason = "PIPELINE_NOT_FOUND";
  detail.metadata = {{"pipeline", std::string(name)}};
  detail.resource = ResourceName{"pipeline", str_cat("pipelines/", name)};
  return with_detail(absl::NotFoundError(why.message()), detail);
}

absl::Status stage_not_found(std::string_view use, const absl::Status& why) {
  ErrorDetail detail;
  detail.reason = "STAGE_NOT_FOUND";
  detail.metadata = {{"stage", std::string(use)}};
  detail.resource = ResourceName{"stage", std::string(use)};
  return with_detail(absl::NotFoundError(why.message()), detail);
}

absl::Status request_id_reused(std::string_view request_id, std::string_view id) {
  ErrorDetail detail;
  detail.reason = "REQUEST_ID_REUSED";
  detail.metadata = {{"request_id", std::string(request_id)}, {"job", std::string(id)}};
  detail.resource = ResourceName{"job", str_cat("jobs/", id)};
  return with_detail(absl::AlreadyExistsError(str_cat("request_id '", request_id,
                                                      "' was used for a different job, jobs/", id,
                                                      "; use a fresh one for each new job")),
                     detail);
}

absl::Status limit_reached(std::string_view reason, std::string_view limit_name, int64_t limit,
                           int64_t in_use, absl::Duration retry_delay) {
  const std::string message = str_cat("limit ", limit_name, " is reached: ", in_use, " of ", limit,
                                      " in use; try again later");
  ErrorDetail detail;
  detail.reason = reason;
  detail.metadata = {
      {"limit", std::string(limit_name)}, {"max", str_cat(limit)}, {"in_use", str_cat(in_use)}};
  detail.retry_delay = retry_delay;
  detail.quotas.push_back({std::string(limit_name), message});
  return with_detail(absl::ResourceExhaustedError(message), detail);
}

absl::Status draining() {
  ErrorDetail detail;
  detail.reason = "DRAINING";
  detail.retry_delay = absl::Seconds(1);
  return with_detail(
      absl::UnavailableError("the server is shutting down and takes no new jobs; try again"),
      detail);
}

absl::Status job_left(std::string_view id) {
  ErrorDetail detail;
  detail.reason = "DRAINING";
  detail.metadata = {{"job", std::string(id)}};
  detail.retry_delay = absl::Seconds(1);
  return with_detail(
      absl::UnavailableError(str_cat("the server is shutting down and jobs/", id,
                                     " has not ended; it is kept, and goes on when the server is "
                                     "back: ask for it again then")),
      detail);
}

absl::Status store_unavailable(std::string_view what, const absl::Status& why,
                               absl::Duration retry_delay) {
  ErrorDetail detail;
  detail.reason = "STORE_UNAVAILABLE";
  detail.metadata = {{"cause", std::string(why.message())}};
  detail.retry_delay = retry_delay;
  return with_detail(absl::UnavailableError(str_cat(what, ": ", why.message())), detail);
}

absl::Status job_finished(std::string_view id, std::string_view state) {
  return job_precondition("JOB_FINISHED", id, state,
                          str_cat("jobs/", id, " has already ended: ", state));
}

absl::Status job_not_finished(std::string_view id, std::string_view state) {
  return job_precondition(
      "JOB_NOT_FINISHED", id, state,
      str_cat("jobs/", id, " has not ended, it is ", state, "; cancel it first"));
}

}  // namespace fermata
