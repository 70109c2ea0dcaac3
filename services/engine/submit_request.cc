#include "services/engine/submit_request.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "services/config/sha256.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"
#include "services/engine/errors.h"

namespace fermata {
namespace {

constexpr size_t kLabelsMax = 64;
constexpr size_t kNameMax = 63;
constexpr size_t kLabelValueMax = 255;
constexpr size_t kRequestIdMax = 128;
constexpr int32_t kPriorityMax = 1000;

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kNameMax &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
         });
}

std::string shown(std::string_view text) { return str_cat("'", utf8_preview(text, 80), "'"); }

absl::Status check_labels(const Labels& labels) {
  if (labels.size() > kLabelsMax) {
    return invalid_field("job.labels",
                         str_cat("expected at most ", kLabelsMax, " labels, got ", labels.size()));
  }
  for (const auto& [key, value] : labels) {
    if (!is_name(key) || key[0] < 'a' || key[0] > 'z') {
      return invalid_field("job.labels", str_cat("expected a key of 1 to ", kNameMax,
                                                 " characters of [a-z0-9_-] beginning with a "
                                                 "letter, got ",
                                                 shown(key)));
    }
    if (value.size() > kLabelValueMax || !is_utf8(value)) {
      return invalid_field(str_cat("job.labels.", key),
                           str_cat("expected at most ", kLabelValueMax, " bytes of UTF-8, got ",
                                   value.size(), " bytes: ", shown(value)));
    }
  }
  return absl::OkStatus();
}

absl::Status check_work(const SubmitRequest& request, const EngineLimits& limits) {
  const int given =
      !request.pipeline.empty() + !request.pipeline_yaml.empty() + !request.stage.empty();
  if (given != 1) {
    return invalid_field(
        "job.work",
        str_cat("expected exactly one of pipeline, pipeline_yaml and stage, got ", given));
  }
  if (request.pipeline_yaml.size() > limits.pipeline_yaml) {
    return payload_too_large("job.pipeline_yaml", request.pipeline_yaml.size(),
                             limits.pipeline_yaml);
  }
  if (request.input.size() > limits.payload) {
    return payload_too_large("job.input", request.input.size(), limits.payload);
  }
  return absl::OkStatus();
}

uint64_t fingerprint_of(const SubmitRequest& request) {
  std::string all;
  const auto add = [&all](std::string_view part) { str_append(&all, part.size(), ":", part); };
  add(request.pipeline);
  add(request.pipeline_yaml);
  add(request.stage);
  add(request.input);
  add(request.queue);
  for (const auto& [key, value] : request.labels) {
    add(key);
    add(value);
  }
  add(str_cat(request.priority));
  add(absl::FormatDuration(request.timeout));
  return std::stoull(sha256_hex(all).substr(0, 16), nullptr, 16);
}

}  // namespace

absl::Status check_request(const SubmitRequest& request, const EngineLimits& limits) {
  if (absl::Status work = check_work(request, limits); !work.ok()) return work;
  if (absl::Status labels = check_labels(request.labels); !labels.ok()) return labels;
  if (!request.queue.empty() && !is_name(request.queue)) {
    return invalid_field("job.queue",
                         str_cat("expected 1 to ", kNameMax, " characters of [a-z0-9_-], got ",
                                 shown(request.queue)));
  }
  if (request.priority < -kPriorityMax || request.priority > kPriorityMax) {
    return invalid_field("job.priority", str_cat("expected ", -kPriorityMax, " to ", kPriorityMax,
                                                 ", got ", request.priority));
  }
  if (request.request_id.size() > kRequestIdMax || !is_utf8(request.request_id)) {
    return invalid_field("request_id", str_cat("expected at most ", kRequestIdMax,
                                               " bytes of UTF-8, got ", shown(request.request_id)));
  }
  if (request.timeout <= absl::ZeroDuration()) {
    return invalid_field("job.timeout", str_cat("expected a positive duration, got ",
                                                absl::FormatDuration(request.timeout)));
  }
  return absl::OkStatus();
}

RequestKey request_key(const SubmitRequest& request) {
  RequestKey key;
  if (request.request_id.empty()) return key;
  key.fingerprint = fingerprint_of(request);
  const std::string& scope = request.request_scope;
  if (!scope.empty()) str_append(&key.id, scope.size(), ":", scope, ":");
  key.id += request.request_id;
  return key;
}

}  // namespace fermata
