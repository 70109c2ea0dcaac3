#include "services/frontend/job_request.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"
#include "services/frontend/resource_name.h"

namespace fermata::frontend {
namespace {

constexpr size_t kMaxLabels = 64;
constexpr size_t kMaxWord = 63;
constexpr size_t kMaxLabelValue = 255;
constexpr size_t kMaxRequestId = 128;
constexpr size_t kMaxStage = 256;
constexpr int32_t kMaxPriority = 1000;
constexpr int64_t kMaxDurationSeconds = 315'576'000'000;  // what google.protobuf.Duration allows

bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= kMaxWord &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_islower(static_cast<unsigned char>(c)) ||
                  absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '_' || c == '-';
         });
}

bool is_label_key(std::string_view text) {
  return is_word(text) && absl::ascii_islower(static_cast<unsigned char>(text[0]));
}

std::string quoted(std::string_view text) { return str_cat("'", utf8_preview(text, 80), "'"); }

// What is wrong with a request, all of it.
class Violations {
 public:
  void add(std::string field, std::string description) {
    detail_.fields.push_back({std::move(field), std::move(description)});
  }
  void add(const absl::Status& status) {
    if (status.ok()) return;
    for (FieldViolation& field : detail_of(status).value_or(ErrorDetail()).fields) {
      detail_.fields.push_back(std::move(field));
    }
  }
  absl::Status status() {
    if (detail_.fields.empty()) return absl::OkStatus();
    std::string message;
    for (const FieldViolation& field : detail_.fields) {
      str_append(&message, message.empty() ? "" : "; ", field.field, ": ", field.description);
      if (message.size() > 800) break;  // the list has them all
    }
    detail_.reason = "INVALID_REQUEST";
    detail_.metadata = {{"field", detail_.fields[0].field},
                        {"problem", detail_.fields[0].description}};
    return with_detail(absl::InvalidArgumentError(message), detail_);
  }

 private:
  ErrorDetail detail_;
};

void take_work(v1::Job& job, SubmitRequest& to, Violations& violations) {
  switch (job.work_case()) {
    case v1::Job::kPipeline: {
      absl::StatusOr<std::string> id = pipeline_id_of(job.pipeline(), "job.pipeline");
      violations.add(id.status());
      if (id.ok()) to.pipeline = *std::move(id);
      return;
    }
    case v1::Job::kPipelineYaml:
      if (job.pipeline_yaml().empty()) violations.add("job.pipeline_yaml", "expected a pipeline");
      to.pipeline_yaml = std::move(*job.mutable_pipeline_yaml());
      return;
    case v1::Job::kStage:
      if (job.stage().empty() || job.stage().size() > kMaxStage) {
        violations.add("job.stage",
                       str_cat("expected plugin/stage, as in http/get, got ", quoted(job.stage())));
      }
      to.stage = std::move(*job.mutable_stage());
      return;
    case v1::Job::WORK_NOT_SET:
      violations.add("job", "expected one of pipeline, pipeline_yaml and stage");
  }
}

void take_labels(v1::Job& job, SubmitRequest& to, Violations& violations) {
  if (job.labels_size() > static_cast<int>(kMaxLabels)) {
    violations.add("job.labels",
                   str_cat("expected at most ", kMaxLabels, ", got ", job.labels_size()));
    return;
  }
  for (auto& [key, value] : *job.mutable_labels()) {
    if (!is_label_key(key)) {
      violations.add("job.labels", str_cat("expected keys of 1 to 63 characters of [a-z0-9_-] "
                                           "beginning with a letter, got ",
                                           quoted(key)));
    } else if (value.size() > kMaxLabelValue) {
      violations.add(str_cat("job.labels.", key),
                     str_cat("expected at most ", kMaxLabelValue, " bytes, got ", value.size()));
    } else {
      to.labels.emplace(key, std::move(value));
    }
  }
}

}  // namespace

absl::StatusOr<absl::Duration> read_duration(const google::protobuf::Duration& duration,
                                             std::string_view field) {
  const int64_t seconds = duration.seconds();
  const int32_t nanos = duration.nanos();
  const bool sane =
      seconds >= 0 && seconds <= kMaxDurationSeconds && nanos >= 0 && nanos < 1'000'000'000;
  if (!sane) {
    return invalid_field(field, str_cat("expected a duration of 0 to 10000 years, got ", seconds,
                                        " s and ", nanos, " ns"));
  }
  return absl::Seconds(seconds) + absl::Nanoseconds(nanos);
}

absl::StatusOr<SubmitRequest> to_submit_request(v1::Job& job, std::string& request_id,
                                                const RpcLimits& limits) {
  // Alone, and first: nobody wants to hear about labels when 100 MB were sent by mistake.
  if (job.input().size() > limits.payload) {
    return payload_too_large("job.input", job.input().size(), limits.payload);
  }
  SubmitRequest to;
  Violations violations;
  take_work(job, to, violations);
  take_labels(job, to, violations);
  if (!job.queue().empty() && !is_word(job.queue())) {
    violations.add("job.queue",
                   str_cat("expected 1 to 63 characters of [a-z0-9_-], got ", quoted(job.queue())));
  }
  if (job.priority() < -kMaxPriority || job.priority() > kMaxPriority) {
    violations.add("job.priority", str_cat("expected ", -kMaxPriority, " to ", kMaxPriority,
                                           ", got ", job.priority()));
  }
  if (job.has_timeout()) {
    const absl::StatusOr<absl::Duration> timeout = read_duration(job.timeout(), "job.timeout");
    violations.add(timeout.status());
    if (timeout.ok()) to.timeout = *timeout;
    if (timeout.ok() && *timeout == absl::ZeroDuration()) {
      violations.add("job.timeout", "expected more than 0");
    }
  }
  if (request_id.size() > kMaxRequestId) {
    violations.add("request_id",
                   str_cat("expected at most ", kMaxRequestId, " bytes, got ", request_id.size()));
  }
  absl::Status status = violations.status();
  if (!status.ok()) return status;
  to.input = std::move(*job.mutable_input());
  to.queue = std::move(*job.mutable_queue());
  to.priority = job.priority();
  to.request_id = std::move(request_id);
  return to;
}

}  // namespace fermata::frontend
