#include "services/cli/job_request.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "absl/cleanup/cleanup.h"
#include "fermata/v1/jobs.pb.h"
#include "services/cli/cat.h"
#include "services/cli/proto_time.h"
#include "services/config/json.h"

namespace fermata::cli {
namespace {

absl::StatusOr<std::string> input_text(const WorkOptions& options, const ReadFile& read) {
  const std::string& input = options.input;
  if (input == "-") return read("-");
  if (input.starts_with("@")) return read(input.substr(1));
  return input;
}

absl::Status wrong_option(std::string_view option, const absl::Status& why) {
  return absl::InvalidArgumentError(cat(option, ": ", why.message()));
}

// Adds each KEY=VALUE to the object in `text`. A VALUE that is not JSON is a string.
absl::StatusOr<std::string> with_members(std::string_view text, const WorkOptions& options) {
  absl::StatusOr<JsonDocument> document = parse_json(text.empty() ? "{}" : text);
  if (!document.ok()) return wrong_option("--input", document.status());
  if (options.set.empty()) return std::string(text);
  if (!document->IsObject()) {
    return absl::InvalidArgumentError(
        cat("--set: adds to an object, but the input is of type ", json_type_name(*document)));
  }
  JsonAllocator& allocator = document->GetAllocator();
  for (const std::string& pair : options.set) {
    const size_t equals = pair.find('=');
    const std::string value_text = pair.substr(equals + 1);
    const absl::StatusOr<JsonDocument> parsed = parse_json(value_text);
    JsonValue key(pair.substr(0, equals), allocator);
    JsonValue value;
    if (parsed.ok()) {
      value.CopyFrom(*parsed, allocator);
    } else {
      value.SetString(value_text, allocator);
    }
    document->RemoveMember(key);
    document->AddMember(key, value, allocator);
  }
  return to_json(*document);
}

}  // namespace

absl::StatusOr<std::string> read_file(const std::string& path) {
  std::FILE* file = path == "-" ? stdin : std::fopen(path.c_str(), "rb");
  if (file == nullptr) {
    return absl::NotFoundError(cat("cannot open ", path, ": ", std::strerror(errno)));
  }
  const absl::Cleanup close = [file] {
    if (file != stdin) std::fclose(file);
  };
  std::string text;
  char block[65536];
  while (const size_t n = std::fread(block, 1, sizeof(block), file)) text.append(block, n);
  if (std::ferror(file) != 0) {
    return absl::InvalidArgumentError(cat("cannot read ", path, ": ", std::strerror(errno)));
  }
  return text;
}

WorkKind work_kind(std::string_view work) {
  const bool yaml = work.ends_with(".yaml") || work.ends_with(".yml");
  const bool path = work.starts_with("/") || work.starts_with("./") || work.starts_with("../");
  if (yaml || path) return WorkKind::kPipelineFile;
  if (work.starts_with("pipelines/")) return WorkKind::kPipeline;
  return work.find('/') != std::string_view::npos ? WorkKind::kStage : WorkKind::kPipeline;
}

absl::Status make_job(const WorkOptions& options, const ReadFile& read, v1::Job* job) {
  switch (work_kind(options.work)) {
    case WorkKind::kPipeline:
      job->set_pipeline(options.work);
      break;
    case WorkKind::kStage:
      job->set_stage(options.work);
      break;
    case WorkKind::kPipelineFile: {
      absl::StatusOr<std::string> text = read(options.work);
      if (!text.ok()) return text.status();
      job->set_pipeline_yaml(*std::move(text));
    }
  }
  absl::StatusOr<std::string> input = input_text(options, read);
  if (!input.ok()) return wrong_option("--input", input.status());
  input = with_members(*input, options);
  if (!input.ok()) return input.status();
  job->set_input(*std::move(input));
  for (const std::string& label : options.labels) {
    const size_t equals = label.find('=');
    (*job->mutable_labels())[label.substr(0, equals)] = label.substr(equals + 1);
  }
  job->set_queue(options.queue);
  job->set_priority(options.priority);
  if (options.timeout != absl::InfiniteDuration()) {
    set_duration(options.timeout, job->mutable_timeout());
  }
  return absl::OkStatus();
}

}  // namespace fermata::cli
