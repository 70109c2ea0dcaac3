// fermata plugin check FILE.so: exit 0 when nothing failed, 1 when something did, 2 with --strict
// when there were warnings (or for wrong usage).
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "services/cli/plugin_group.h"
#include "services/cli/plugin_words.h"
#include "services/cli/table.h"
#include "services/config/duration.h"
#include "services/config/json.h"
#include "services/plugin_kit/check.h"

namespace fermata::cli {
namespace {

using kit::Outcome;
using kit::Verdict;

Style style_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::kPass:
      return Style::kGood;
    case Outcome::kWarn:
      return Style::kWarning;
    case Outcome::kFail:
      return Style::kBad;
    case Outcome::kSkip:
      return Style::kDim;
  }
  return Style::kPlain;
}

size_t count(const std::vector<Verdict>& verdicts, Outcome outcome) {
  size_t found = 0;
  for (const Verdict& verdict : verdicts) found += verdict.result.outcome == outcome ? 1 : 0;
  return found;
}

std::string head_of(const kit::Check& check) {
  return cat("{\"number\":", check.number, ",\"id\":\"", check.id, "\",\"kind\":\"",
             std::string(1, check.kind), "\"");
}

std::string as_json(const std::string& file, const std::vector<Verdict>& verdicts) {
  std::vector<std::string> checks;
  for (const Verdict& verdict : verdicts) {
    std::string outcome(kit::outcome_name(verdict.result.outcome));
    if (outcome == "FAIL") outcome = "fail";
    checks.push_back(cat(head_of(*verdict.check), ",\"verdict\":\"", outcome,
                         "\",\"why\":", json_quote(verdict.result.why), "}"));
  }
  return cat("{\"file\":", json_quote(file), ",\"failed\":", count(verdicts, Outcome::kFail),
             ",\"warned\":", count(verdicts, Outcome::kWarn), ",\"checks\":[",
             absl::StrJoin(checks, ","), "]}");
}

ExitCode print_table(const std::vector<Verdict>& verdicts, ExitCode code) {
  const bool interactive = ::isatty(1) == 1;
  Output out(Terminal{.fd = 1, .interactive = interactive});
  Table table({{"", Table::Align::kRight}, {"CHECK"}, {"VERDICT"}, {"WHY"}});
  for (const Verdict& verdict : verdicts) {
    table.add_row(
        {{cat(verdict.check->number)},
         {verdict.check->id},
         {std::string(kit::outcome_name(verdict.result.outcome)), style_of(verdict.result.outcome)},
         {verdict.result.why}});
  }
  out.write(table.render(0, interactive));
  out.write_line(cat(count(verdicts, Outcome::kPass), " passed, ", count(verdicts, Outcome::kFail),
                     " failed, ", count(verdicts, Outcome::kWarn), " warned, ",
                     count(verdicts, Outcome::kSkip), " skipped"));
  return end_with(code, out);
}

ExitCode list_checks(bool json) {
  Output out(Terminal{.fd = 1});
  if (json) {
    std::vector<std::string> checks;
    for (const kit::Check& check : kit::all_checks()) {
      checks.push_back(cat(head_of(check), ",\"asks\":", json_quote(check.asks), "}"));
    }
    out.write_line(cat("{\"checks\":[", absl::StrJoin(checks, ","), "]}"));
    return end_with(ExitCode::kOk, out);
  }
  for (const kit::Check& check : kit::all_checks()) {
    out.write_line(
        cat(check.number, "\t", check.id, "\t", std::string(1, check.kind), "\t", check.asks));
  }
  return end_with(ExitCode::kOk, out);
}

ExitCode code_of(const std::vector<Verdict>& verdicts, bool strict) {
  if (count(verdicts, Outcome::kFail) > 0) return ExitCode::kJobFailed;
  if (strict && count(verdicts, Outcome::kWarn) > 0) return ExitCode::kUsage;
  return ExitCode::kOk;
}

}  // namespace

ExitCode plugin_check(int argc, char** argv) {
  kit::CheckOptions options;
  bool json = false, strict = false, list = false;
  std::string fuzz, timeout;
  CLI::App app("runs the conformance checks on a plugin file", "fermata plugin check");
  app.add_option("file", options.file, "the plugin")->type_name("FILE.so");
  app.add_flag("--list", list, "what the checks are, and nothing else");
  app.add_flag("--json", json, "one JSON document");
  app.add_flag("--strict", strict, "exit code 2 when there are warnings");
  app.add_option("--include", options.include, "only checks whose id matches")->type_name("REGEX");
  app.add_option("--exclude", options.exclude, "but not these")->type_name("REGEX");
  app.add_option("--testdata", options.testdata,
                 "samples: <stage>/{config.json,NAME.in,NAME.out}; testdata beside the file")
      ->type_name("DIR");
  app.add_option("--target-glibc", options.target_glibc, "fail above it, as in 2.31")
      ->type_name("VERSION");
  app.add_option("--seed", options.seed, "of everything that chance decides")
      ->capture_default_str();
  app.add_option("--fuzz", fuzz, "also look for trouble by chance for so long")
      ->type_name("DURATION");
  app.add_option("--timeout", timeout, "the longest that one check may take; 30s")
      ->type_name("DURATION");
  if (const auto ended = parse_words(app, argc, argv)) return *ended;
  if (list) return list_checks(json);
  if (options.file.empty()) {
    return complain(absl::InvalidArgumentError("file is required\nSee fermata plugin check --help"),
                    ExitCode::kUsage);
  }
  for (const auto& [text, field] :
       {std::pair{&fuzz, &options.fuzz}, std::pair{&timeout, &options.timeout}}) {
    if (text->empty()) continue;
    const absl::StatusOr<absl::Duration> duration = parse_duration(*text);
    if (!duration.ok()) return complain(duration.status(), ExitCode::kUsage);
    *field = *duration;
  }
  options.child = {"/proc/self/exe", "plugin"};
  const absl::StatusOr<std::vector<Verdict>> verdicts = kit::run_checks(options);
  if (!verdicts.ok()) return complain(verdicts.status(), ExitCode::kUsage);
  const ExitCode code = code_of(*verdicts, strict);
  if (json) return print(cat(as_json(options.file, *verdicts), "\n"), code);
  return print_table(*verdicts, code);
}

}  // namespace fermata::cli
