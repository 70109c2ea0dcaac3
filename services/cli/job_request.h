#pragma once

// The job that `run` and `submit` send, made from the command line. Reads the files that it names,
// and checks that the input is JSON, so that a slip of the keyboard is told without a server.

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/cli/options.h"

namespace fermata::v1 {
class Job;
}  // namespace fermata::v1

namespace fermata::cli {

// Reads a whole file; "-" is stdin. A parameter so that tests need no files.
using ReadFile = std::function<absl::StatusOr<std::string>(const std::string& path)>;
absl::StatusOr<std::string> read_file(const std::string& path);

enum class WorkKind { kPipeline, kPipelineFile, kStage };
// "a.yaml", "./x", "/x" are files; "pipelines/x" and "x" name a pipeline; "x/y" names a stage.
WorkKind work_kind(std::string_view work);

// INVALID_ARGUMENT names the option that is wrong; NOT_FOUND the file that is missing.
absl::Status make_job(const WorkOptions& options, const ReadFile& read, v1::Job* job);

}  // namespace fermata::cli
