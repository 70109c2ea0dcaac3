#include "services/stages/isolated/messages.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/stages/isolated/frame.h"
#include "services/stages/isolated/payload.h"
#include "services/stages/plugin_note.h"

namespace fermata {
namespace {

constexpr size_t kShortText = 4096;
constexpr size_t kLongText = size_t{1} << 20;
constexpr uint32_t kStagesMax = 1000;
constexpr int64_t kLongestWaitNs = int64_t{30} * 24 * 3600 * 1'000'000'000;

absl::Status bad(const char* message) {
  return absl::InvalidArgumentError(absl::StrCat("bad frame: the payload of ", message));
}

std::string_view view(const std::string& text) { return text; }

// A message is cut rather than refused: it is for people.
std::string_view cut(std::string_view text, size_t max) { return text.substr(0, max); }

std::string message_of(const absl::Status& status) {
  return std::string(status.message().data(), status.message().size());
}

constexpr uint8_t kRetryable = 1;
constexpr uint8_t kPreempted = 2;
constexpr uint8_t kLost = 4;

}  // namespace

std::string Hello::encode() const {
  PayloadWriter out;
  out.put(kProtocolVersion).text(cut(refusal, kShortText));
  out.put(static_cast<uint32_t>(stages.size()));
  for (const StageInfo& stage : stages) {
    out.text(stage.name).text(stage.summary).text(stage.config_schema).text(stage.input_schema);
    out.put(static_cast<uint8_t>(stage.idempotent)).put(static_cast<uint8_t>(stage.streams));
  }
  return out.take();
}

absl::StatusOr<Hello> Hello::decode(std::string_view payload) {
  PayloadReader in(payload);
  Hello hello;
  if (const uint32_t version = in.get<uint32_t>(); version != kProtocolVersion) {
    return absl::InvalidArgumentError(absl::StrCat("fermata-plugin-host speaks protocol ", version,
                                                   ", this server ", kProtocolVersion,
                                                   " - install both from the same release"));
  }
  hello.refusal = in.text(kShortText);
  const uint32_t count = in.get<uint32_t>();
  if (count > kStagesMax) return bad("HELLO");
  for (uint32_t i = 0; i < count && in.ok(); ++i) {
    StageInfo& stage = hello.stages.emplace_back();
    stage.name = in.text(48);
    stage.summary = in.text(1000);
    stage.config_schema = in.text(kLongText);
    stage.input_schema = in.text(kLongText);
    stage.idempotent = in.get<uint8_t>() != 0;
    stage.streams = in.get<uint8_t>() != 0;
    if (!valid_stage_name(stage.name)) return bad("HELLO");
    for (uint32_t j = 0; j < i; ++j) {
      if (hello.stages[j].name == stage.name) return bad("HELLO");
    }
  }
  if (!in.done() || hello.refusal.empty() == hello.stages.empty()) return bad("HELLO");
  return hello;
}

std::string StartMessage::encode() const {
  PayloadWriter out;
  out.put(stage).put(static_cast<uint8_t>(wants_chunks)).put(spec.attempt).put(spec.depth);
  out.put(spec.deadline_ns).text(spec.job_id).text(spec.trace_parent).rest(spec.input.view());
  return out.take();
}

absl::StatusOr<StartMessage> StartMessage::decode(std::string_view payload) {
  PayloadReader in(payload);
  StartMessage start;
  start.stage = in.get<uint32_t>();
  start.wants_chunks = in.get<uint8_t>() != 0;
  start.spec.attempt = in.get<uint32_t>();
  start.spec.depth = in.get<uint32_t>();
  start.spec.deadline_ns = in.get<int64_t>();
  start.spec.job_id = in.text(kShortText);
  start.spec.trace_parent = in.text(kShortText);
  start.spec.input = Buffer::copy_of(in.rest());
  if (!in.done()) return bad("START");
  return start;
}

std::string EndMessage::encode() const {
  PayloadWriter out;
  out.put(status).put(static_cast<uint8_t>(result));
  out.put(static_cast<int32_t>(outcome.status.code()));
  out.put(static_cast<uint8_t>((outcome.retryable ? kRetryable : 0) |
                               (outcome.preempted ? kPreempted : 0) | (outcome.lost ? kLost : 0)));
  out.put(absl::ToInt64Nanoseconds(outcome.retry_after));
  out.text(cut(view(message_of(outcome.status)), kShortText));
  out.rest(outcome.output.view());
  return out.take();
}

absl::StatusOr<EndMessage> EndMessage::decode(std::string_view payload) {
  PayloadReader in(payload);
  EndMessage end;
  end.status = in.get<int32_t>();
  const uint8_t result = in.get<uint8_t>();
  const int32_t code = in.get<int32_t>();
  const uint8_t flags = in.get<uint8_t>();
  const int64_t retry_after_ns = in.get<int64_t>();
  const std::string_view message = in.text(kShortText);
  end.outcome.output = Buffer::copy_of(in.rest());
  if (!in.done() || result >= kStageResultNames.size() || code < 0 || code > 16 ||
      flags > (kRetryable | kPreempted | kLost) || end.status > FERMATA_OK ||
      end.status < FERMATA_E_LOST || retry_after_ns < 0 || retry_after_ns > kLongestWaitNs) {
    return bad("FINISH");
  }
  // OK is said three times; a process that contradicts itself is not believed in any of them.
  if ((code == 0) != (end.status == FERMATA_OK)) return bad("FINISH");
  end.result = static_cast<StageResult>(result);
  end.outcome.status = absl::Status(static_cast<absl::StatusCode>(code),
                                    absl::string_view(message.data(), message.size()));
  end.outcome.retryable = (flags & kRetryable) != 0;
  end.outcome.preempted = (flags & kPreempted) != 0;
  end.outcome.lost = (flags & kLost) != 0;
  end.outcome.retry_after = absl::Nanoseconds(retry_after_ns);
  return end;
}

std::string LogMessage::encode() const {
  PayloadWriter out;
  out.put(stage).put(level).text(cut(text, kInlineMax / 2));
  return out.take();
}

absl::StatusOr<LogMessage> LogMessage::decode(std::string_view payload) {
  PayloadReader in(payload);
  LogMessage log;
  log.stage = in.get<uint32_t>();
  log.level = in.get<uint32_t>();
  log.text = in.text(kInlineMax / 2);
  if (!in.done()) return bad("LOG");
  return log;
}

std::string ProgressMessage::encode() const {
  PayloadWriter out;
  out.put(fraction).text(cut(note, kShortText));
  return out.take();
}

absl::StatusOr<ProgressMessage> ProgressMessage::decode(std::string_view payload) {
  PayloadReader in(payload);
  ProgressMessage progress;
  progress.fraction = in.get<double>();
  progress.note = in.text(kShortText);
  if (!in.done()) return bad("PROGRESS");
  return progress;
}

std::string SubCallMessage::encode() const {
  PayloadWriter out;
  out.put(parent).put(deadline_ns).put(static_cast<uint8_t>(wants_chunks));
  out.text(cut(use, kShortText)).rest(input);
  return out.take();
}

absl::StatusOr<SubCallMessage> SubCallMessage::decode(std::string_view payload) {
  PayloadReader in(payload);
  SubCallMessage sub;
  sub.parent = in.get<uint64_t>();
  sub.deadline_ns = in.get<int64_t>();
  sub.wants_chunks = in.get<uint8_t>() != 0;
  sub.use = in.text(kShortText);
  sub.input = in.rest();
  if (!in.done()) return bad("STAGE_CALL");
  return sub;
}

std::string encode_metrics(const PluginMetrics& metrics) {
  PayloadWriter out;
  out.put(static_cast<uint32_t>(metrics.all().size()));
  for (const PluginMetric& metric : metrics.all()) {
    out.put(metric.kind).text(metric.name).text(cut(metric.help, kShortText));
    out.put(static_cast<uint32_t>(metric.labels.size()));
    for (const std::string& label : metric.labels) out.text(label);
    out.put(static_cast<uint32_t>(metric.bounds.size()));
    for (double bound : metric.bounds) out.put(bound);
    out.put(static_cast<uint32_t>(metric.series.size()));
    for (const auto& [key, series] : metric.series) {
      for (const std::string& value : series.label_values) out.text(value);
      out.put(series.value).put(series.count);
      for (uint64_t bucket : series.buckets) out.put(bucket);
    }
  }
  return out.take();
}

absl::StatusOr<std::vector<PluginMetric>> decode_metrics(std::string_view payload) {
  PayloadReader in(payload);
  std::vector<PluginMetric> metrics;
  const uint32_t count = in.get<uint32_t>();
  if (count > PluginMetrics::kMaxMetrics) return bad("METRICS");
  size_t series_left = PluginMetrics::kMaxSeries;
  for (uint32_t i = 0; i < count && in.ok(); ++i) {
    PluginMetric& metric = metrics.emplace_back();
    metric.kind = in.get<uint32_t>();
    metric.name = in.text(100);
    metric.help = in.text(kShortText);
    const uint32_t labels = in.get<uint32_t>();
    if (labels > PluginMetrics::kMaxLabels) return bad("METRICS");
    for (uint32_t j = 0; j < labels; ++j) metric.labels.emplace_back(in.text(100));
    const uint32_t bounds = in.get<uint32_t>();
    if (bounds > 50) return bad("METRICS");
    for (uint32_t j = 0; j < bounds; ++j) metric.bounds.push_back(in.get<double>());
    const uint32_t series_count = in.get<uint32_t>();
    if (series_count > series_left) return bad("METRICS");
    series_left -= series_count;
    for (uint32_t j = 0; j < series_count && in.ok(); ++j) {
      PluginMetricSeries series;
      std::string key;
      for (uint32_t k = 0; k < labels; ++k) {
        series.label_values.emplace_back(in.text(PluginMetrics::kMaxLabelBytes));
        key += series.label_values.back() + '\0';
      }
      series.value = in.get<double>();
      series.count = in.get<uint64_t>();
      if (bounds > 0) series.buckets.resize(bounds + 1);
      for (uint64_t& bucket : series.buckets) bucket = in.get<uint64_t>();
      metric.series.emplace(std::move(key), std::move(series));
    }
  }
  if (!in.done()) return bad("METRICS");
  return metrics;
}

std::string encode_configs(const std::vector<std::string>& configs) {
  PayloadWriter out;
  out.put(static_cast<uint32_t>(configs.size()));
  for (const std::string& config : configs) out.text(config);
  return out.take();
}

std::vector<std::string> decode_configs(std::string_view payload) {
  PayloadReader in(payload);
  std::vector<std::string> configs(std::min(in.get<uint32_t>(), kStagesMax));
  for (std::string& config : configs) config = in.text(payload.size());
  return configs;
}

std::string encode_status(const absl::Status& status) {
  PayloadWriter out;
  out.put(static_cast<int32_t>(status.code())).text(cut(view(message_of(status)), kShortText));
  return out.take();
}

std::optional<absl::Status> decode_status(std::string_view payload) {
  PayloadReader in(payload);
  const int32_t code = in.get<int32_t>();
  const std::string_view message = in.text(kShortText);
  if (!in.done() || code < 0 || code > 16) return std::nullopt;
  return absl::Status(static_cast<absl::StatusCode>(code),
                      absl::string_view(message.data(), message.size()));
}

}  // namespace fermata
