// fermata plugin run FILE.so STAGE, fermata plugin bench FILE.so STAGE
#include <optional>
#include <string>

#include "absl/strings/str_format.h"
#include "services/cli/job_request.h"
#include "services/cli/plugin_group.h"
#include "services/cli/plugin_words.h"
#include "services/config/duration.h"
#include "services/plugin_kit/run_stage.h"

namespace fermata::cli {
namespace {

void add_stage(CLI::App& app, kit::RunOptions* options, std::string* input) {
  app.add_option("file", options->file, "the plugin")->required()->type_name("FILE.so");
  app.add_option("stage", options->stage, "one of its stages")->required()->type_name("STAGE");
  app.add_option("-i,--input", *input, "the call's input: a file of JSON, or - for stdin")
      ->type_name("FILE");
  app.add_option("--config", options->config, "what create() gets")->type_name("JSON");
}

std::optional<ExitCode> take_input(kit::RunOptions* options, const std::string& source) {
  if (source.empty()) return std::nullopt;
  absl::StatusOr<std::string> text = read_file(source);
  if (!text.ok()) return complain(text.status(), ExitCode::kUsage);
  options->input = *std::move(text);
  return std::nullopt;
}

}  // namespace

ExitCode plugin_run(int argc, char** argv) {
  kit::RunOptions options;
  std::string source;
  bool quiet = false;
  CLI::App app("one call of one stage, without a server: input in, output out",
               "fermata plugin run");
  add_stage(app, &options, &source);
  app.add_flag("-q,--quiet", quiet, "no logs, progress and chunks on stderr");
  if (const auto ended = parse_words(app, argc, argv)) return *ended;
  if (const auto ended = take_input(&options, source)) return *ended;
  Output err(Terminal{.fd = 2});
  if (!quiet) options.on_message = [&err](std::string_view text) { err.write_line(text); };
  const absl::StatusOr<std::string> output = kit::run_stage(options);
  if (!output.ok()) {
    return complain(absl::Status(output.status().code(), output.status().ToString()),
                    ExitCode::kJobFailed);
  }
  return print(cat(*output, "\n"));
}

ExitCode plugin_bench(int argc, char** argv) {
  kit::RunOptions options;
  std::string source, text = "4s";
  int concurrency = 64;
  CLI::App app("how long a call of one stage takes, alone and many at a time",
               "fermata plugin bench");
  add_stage(app, &options, &source);
  app.add_option("--for", text, "how long to measure")
      ->type_name("DURATION")
      ->capture_default_str();
  app.add_option("-c,--concurrency", concurrency, "calls at a time")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  if (const auto ended = parse_words(app, argc, argv)) return *ended;
  if (const auto ended = take_input(&options, source)) return *ended;
  const absl::StatusOr<absl::Duration> duration = parse_duration(text);
  if (!duration.ok()) return complain(duration.status(), ExitCode::kUsage);
  const absl::StatusOr<kit::BenchResult> result = kit::bench_stage(options, *duration, concurrency);
  if (!result.ok()) {
    return complain(absl::Status(result.status().code(), result.status().ToString()),
                    ExitCode::kJobFailed);
  }
  return print(absl::StrFormat(
      "one at a time   p50 %.3f us, p99 %.3f us\n%5d at a time   "
      "%.0f calls/s\n%d calls in %.1f s\n",
      absl::ToDoubleMicroseconds(result->p50), absl::ToDoubleMicroseconds(result->p99), concurrency,
      result->calls_per_second, result->calls, absl::ToDoubleSeconds(result->took)));
}

}  // namespace fermata::cli
