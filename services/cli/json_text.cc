#include "services/cli/json_text.h"

#include "absl/time/time.h"
#include "fermata/v1/jobs.pb.h"
#include "fermata/v1/pipelines.pb.h"
#include "fermata/v1/plugins.pb.h"
#include "services/cli/cat.h"
#include "services/cli/proto_time.h"
#include "services/config/json.h"

namespace fermata::cli {
namespace {

// Writes one object, leaving out what is empty.
class Object {
 public:
  void text(std::string_view key, std::string_view value) {
    if (!value.empty()) raw(key, json_quote(value));
  }
  // JSON that is there already: payloads, nested objects, arrays.
  void raw(std::string_view key, std::string_view json) {
    if (json.empty()) return;
    // A line break in JSON is only ever layout, and these documents are one a line.
    std::string line(json);
    for (char& c : line) {
      if (c == '\n' || c == '\r') c = ' ';
    }
    append(&out_, out_ == "{" ? "" : ",", json_quote(key), ":", line);
  }
  void number(std::string_view key, int64_t value) {
    if (value != 0) raw(key, cat(value));
  }
  void time(std::string_view key, bool set, const google::protobuf::Timestamp& value) {
    if (!set) return;
    text(key, absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time_of(true, value), absl::UTCTimeZone()));
  }
  std::string take() { return std::move(out_) + "}"; }

 private:
  std::string out_ = "{";
};

template <typename Items, typename ToJson>
std::string array_of(const Items& items, ToJson to_json) {
  std::string out;
  for (const auto& item : items) append(&out, out.empty() ? "[" : ",", to_json(item));
  return out.empty() ? "" : out + "]";
}

std::string stage_json(const v1::StageProgress& stage) {
  Object object;
  object.text("name", stage.name());
  if (stage.state() != v1::StageProgress::STATE_UNSPECIFIED) {
    object.text("state", v1::StageProgress::State_Name(stage.state()));
    object.raw("total", cat(stage.total()));
    object.raw("done", cat(stage.done()));
    object.raw("failed", cat(stage.failed()));
    object.raw("retries", cat(stage.retries()));
  }
  object.raw("versions", array_of(stage.versions(), json_quote));
  object.time("start_time", stage.has_start_time(), stage.start_time());
  object.time("end_time", stage.has_end_time(), stage.end_time());
  return object.take();
}

std::string error_json(const v1::JobError& error) {
  Object object;
  object.raw("code", cat(error.code()));
  object.text("message", error.message());
  object.text("stage", error.stage());
  object.number("attempts", error.attempts());
  return object.take();
}

// Deep enough to be read; deeper documents are only valid, not pretty.
constexpr int kIndentMax = 100;

}  // namespace

std::string job_json(const v1::Job& job) {
  Object object;
  object.text("name", job.name());
  object.text("pipeline", job.pipeline());
  object.text("stage", job.stage());
  object.text("pipeline_version", job.pipeline_version());
  object.text("state", v1::Job::State_Name(job.state()));
  object.text("reason", job.reason());
  object.text("queue", job.queue());
  object.number("priority", job.priority());
  if (!job.labels().empty()) {
    Object labels;
    for (const auto& [key, value] : job.labels()) labels.raw(key, json_quote(value));
    object.raw("labels", labels.take());
  }
  if (job.has_timeout()) {
    object.text("timeout", absl::FormatDuration(duration_of(job.timeout())));
  }
  object.time("create_time", job.has_create_time(), job.create_time());
  object.time("start_time", job.has_start_time(), job.start_time());
  object.time("end_time", job.has_end_time(), job.end_time());
  object.number("sequence", job.sequence());
  if (job.has_error()) object.raw("error", error_json(job.error()));
  object.raw("stages", array_of(job.stages(), stage_json));
  object.raw("input", job.input());
  object.raw("result", job.result());
  return object.take();
}

std::string event_json(const v1::JobEvent& event) {
  Object object;
  object.number("sequence", event.sequence());
  object.time("time", event.has_time(), event.time());
  object.text("kind", v1::JobEvent::Kind_Name(event.kind()));
  object.text("state", v1::Job::State_Name(event.state()));
  if (event.has_stage()) object.raw("stage", stage_json(event.stage()));
  if (event.kind() == v1::JobEvent::PROGRESS) object.raw("fraction", cat(event.fraction()));
  object.text("message", event.message());
  if (event.has_job()) object.raw("job", job_json(event.job()));
  return object.take();
}

std::string pipeline_json(const v1::Pipeline& pipeline) {
  Object object;
  object.text("name", pipeline.name());
  object.text("version", pipeline.version());
  object.raw("input_schema", pipeline.input_schema());
  object.raw("stages", array_of(pipeline.stages(), [](const v1::PipelineStage& stage) {
               Object one;
               one.text("name", stage.name());
               one.text("use", stage.use());
               one.raw("after", array_of(stage.after(), json_quote));
               one.text("each", stage.each());
               one.number("parallel", stage.parallel());
               one.text("gather", stage.gather());
               one.number("attempts", stage.attempts());
               one.text("if_lost", stage.if_lost());
               one.text("timeout", absl::FormatDuration(duration_of(stage.timeout())));
               return one.take();
             }));
  return object.take();
}

std::string plugin_json(const v1::Plugin& plugin) {
  Object object;
  object.text("name", plugin.name());
  object.text("id", plugin.id());
  object.text("version", plugin.version());
  object.text("state", v1::Plugin::State_Name(plugin.state()));
  if (plugin.phase() != v1::Plugin::PHASE_UNSPECIFIED) {
    object.text("phase", v1::Plugin::Phase_Name(plugin.phase()));
  }
  object.text("placement", plugin.placement());
  object.text("file", plugin.file());
  object.text("sha256", plugin.sha256());
  object.text("refusal", plugin.refusal());
  object.raw("stages", array_of(plugin.stages(), [](const v1::Stage& stage) {
               Object one;
               one.text("name", stage.name());
               one.text("summary", stage.summary());
               one.raw("config_schema", stage.config_schema());
               one.raw("input_schema", stage.input_schema());
               return one.take();
             }));
  return object.take();
}

std::string indent_json(std::string_view text) {
  std::string out;
  int level = 0;
  const auto line_break = [&] {
    append(&out, "\n", std::string(2 * static_cast<size_t>(std::min(level, kIndentMax)), ' '));
  };
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      out += c;
      if (c == '\\' && i + 1 < text.size()) out += text[++i];
      if (c == '"') in_string = false;
      continue;
    }
    if (c == ' ' || c == '\n' || c == '\r' || c == '\t') continue;
    if (c == '}' || c == ']') {
      const bool empty = !out.empty() && (out.back() == '{' || out.back() == '[');
      level = std::max(0, level - 1);
      if (!empty) line_break();
    } else if (!out.empty() && (out.back() == '{' || out.back() == '[')) {
      line_break();
    }
    out += c;
    if (c == '"') in_string = true;
    if (c == '{' || c == '[') ++level;
    if (c == ',') line_break();
    if (c == ':') out += ' ';
  }
  return out;
}

}  // namespace fermata::cli
