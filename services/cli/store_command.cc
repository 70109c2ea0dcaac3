// fermata store: looks after a store's directory. No server is asked; for verify, stats and backup
// one may be running.
#include "services/cli/store_command.h"

#include <string>

#include "services/cli/cat.h"
#include "services/cli/options.h"
#include "services/cli/output.h"
#include "services/config/bytes.h"
#include "services/config/json.h"
#include "services/store/sqlite/maintenance.h"

namespace fermata::cli {
namespace {

// The parts of a command's world that need no server.
struct Console {
  const StoreOptions& options;
  bool json;
  Output out;
  Output err;

  ExitCode refuse(const absl::Status& status) {
    err.write_line(cat("fermata: store ", options.action, ": ", status.message()));
    return ExitCode::kUsage;
  }
};

std::string figures_json(const StoreFigures& figures) {
  return cat("\"schema_version\":", figures.schema_version, ",\"unfinished_jobs\":", figures.live,
             ",\"finished_jobs\":", figures.finished,
             ",\"finished_bytes\":", figures.finished_bytes, ",\"file_bytes\":", figures.file_bytes,
             ",\"free_bytes\":", figures.free_bytes, ",\"log_bytes\":", figures.log_bytes,
             ",\"in_use\":", figures.in_use ? "true" : "false");
}

std::string figures_text(const StoreFigures& figures) {
  return cat("schema version   ", figures.schema_version, "\nunfinished jobs  ", figures.live,
             "\nfinished jobs    ", figures.finished, ", ",
             format_bytes(static_cast<uint64_t>(figures.finished_bytes)), "\nfile             ",
             format_bytes(figures.file_bytes), ", of which free ", format_bytes(figures.free_bytes),
             "\nlog              ", format_bytes(figures.log_bytes), "\nowned by server  ",
             figures.in_use ? "yes" : "no");
}

ExitCode stats(Console& console) {
  const absl::StatusOr<StoreFigures> figures = store_figures(console.options.directory);
  if (!figures.ok()) return console.refuse(figures.status());
  console.out.write_line(console.json ? cat("{", figures_json(*figures), "}")
                                      : figures_text(*figures));
  return ExitCode::kOk;
}

ExitCode verify(Console& console) {
  const absl::StatusOr<StoreReport> report = verify_store(console.options.directory);
  if (!report.ok()) return console.refuse(report.status());
  if (console.json) {
    std::string problems;
    for (const std::string& problem : report->problems) {
      problems += cat(problems.empty() ? "" : ",", json_quote(problem));
    }
    console.out.write_line(
        cat("{", figures_json(report->figures), ",\"sound_records\":", report->records,
            ",\"problem_count\":", report->problem_count, ",\"problems\":[", problems, "]}"));
  } else {
    for (const std::string& problem : report->problems) console.out.write_line(problem);
    console.out.write_line(
        cat(report->records, " records are sound, ", report->problem_count, " problems"));
  }
  return report->problem_count == 0 ? ExitCode::kOk : ExitCode::kJobFailed;
}

ExitCode copy(Console& console) {
  const absl::Status copied = copy_store(console.options.directory, console.options.target);
  if (!copied.ok()) return console.refuse(copied);
  const absl::StatusOr<StoreReport> report = verify_store(console.options.target);
  if (!report.ok()) return console.refuse(report.status());
  if (report->problem_count > 0) {
    console.err.write_line(cat("fermata: the copy has ", report->problem_count,
                               " problems, as had the original; see fermata store verify ",
                               console.options.target));
    return ExitCode::kJobFailed;
  }
  console.out.write_line(
      cat(console.options.target, ": ", report->records, " records, copied and verified"));
  return ExitCode::kOk;
}

ExitCode compact(Console& console) {
  const absl::StatusOr<StoreFigures> before = store_figures(console.options.directory);
  if (!before.ok()) return console.refuse(before.status());
  const absl::Status compacted = compact_store(console.options.directory);
  if (!compacted.ok()) return console.refuse(compacted);
  const absl::StatusOr<StoreFigures> after = store_figures(console.options.directory);
  if (!after.ok()) return console.refuse(after.status());
  console.out.write_line(cat(console.options.directory, ": ", format_bytes(before->file_bytes),
                             " became ", format_bytes(after->file_bytes)));
  return ExitCode::kOk;
}

ExitCode act(Console& console) {
  const std::string& action = console.options.action;
  if (action == "stats") return stats(console);
  if (action == "verify") return verify(console);
  if (action == "compact") return compact(console);
  return copy(console);  // backup, restore
}

}  // namespace

ExitCode store_command(const Options& options) {
  Console console{options.store, options.json, Output(Terminal{.fd = 1}),
                  Output(Terminal{.fd = 2})};
  return end_with(act(console), console.out);
}

}  // namespace fermata::cli
