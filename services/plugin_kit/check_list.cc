// The list of the checks, and running those that were asked for.
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "re2/re2.h"
#include "services/config/str_cat.h"
#include "services/plugin_kit/check.h"
#include "services/plugin_kit/check_process.h"
#include "services/plugin_kit/subject.h"

namespace fermata::kit {
namespace {

constexpr Check kChecks[] = {
    {1, "elf-valid", 'S', "a shared object for this machine, not cut short", check_elf_valid},
    {2, "note-present", 'S', "its note says who it is", check_note_present},
    {3, "entry-only-export", 'S', "it exports its entry and nothing else", check_entry_only_export},
    {4, "no-gnu-unique", 'S', "two versions share no symbol", check_no_gnu_unique},
    {5, "no-static-tls", 'S', "it can be loaded any number of times", check_no_static_tls},
    {6, "unloadable", 'S', "nothing keeps it mapped", check_unloadable},
    {7, "hardening", 'S', "no text relocations, no executable stack", check_hardening},
    {8, "deps-resolve", 'S', "its libraries are found", check_deps_resolve},
    {9, "libc-floor", 'S', "how old a system may be", check_libc_floor},
    {10, "forbidden-imports", 'S', "nothing that changes the process", check_forbidden_imports},
    {11, "load-now", 'P', "loading it changes nothing", check_load_now},
    {12, "describe-pure", 'P', "its descriptor is whole and constant", check_describe_pure},
    {13, "small-host", 'P', "works with the oldest host it says", check_small_host},
    {14, "big-host", 'P', "works with a newer host", check_big_host},
    {15, "wrong-major", 'P', "refuses another ABI", check_wrong_major},
    {16, "schema-valid", 'P', "schemas compile, defaults work", check_schema_valid},
    {17, "config-reject", 'P', "strange configs do no harm", check_config_reject},
    {18, "create-destroy-loop", 'P', "destroy() undoes create()", check_create_destroy_loop},
    {19, "happy-path", 'D', "samples give what they should", check_happy_path},
    {20, "token-discipline", 'D', "ops are asked for as the ABI says", check_token_discipline},
    {21, "finish-once", 'D', "nothing is used after its end", check_finish_once},
    {22, "cancel-everywhere", 'D', "cancelled anywhere, it lets go", check_cancel_everywhere},
    {23, "error-everywhere", 'D', "any op may be refused or fail", check_error_everywhere},
    {24, "oom-everywhere", 'D', "any buf_alloc may fail", check_oom_everywhere},
    {25, "unknown-event", 'D', "unknown events are ignored", check_unknown_event},
    {26, "backpressure", 'D', "chunks only with credit", check_backpressure},
    {27, "blocking-thread", 'D', "[loop] functions on the loop only", check_blocking_thread},
    {28, "loop-hold", 'D', "the loop is held for short times", check_loop_hold},
    {29, "buffer-ownership", 'D', "every reference is given back", check_buffer_ownership},
    {30, "concurrency", 'D', "calls do not mix", check_concurrency},
    {32, "deadline", 'D', "ends soon after its deadline", check_deadline},
    {33, "metrics-hygiene", 'D', "metrics are named and few", check_metrics_hygiene},
    {34, "side-by-side", 'D', "two versions share nothing", check_side_by_side},
    {35, "reload-drain", 'D', "a switch loses nothing", check_reload_drain},
    {36, "unload-verified", 'D', "unmapping it works", check_unload_verified},
    {39, "fuzz", 'D', "chance finds nothing", check_fuzz},
};

}  // namespace

std::span<const Check> all_checks() { return kChecks; }

const Check* find_check(std::string_view id) {
  for (const Check& check : kChecks) {
    if (check.id == id) return &check;
  }
  return nullptr;
}

std::string_view outcome_name(Outcome outcome) {
  switch (outcome) {
    case Outcome::kPass:
      return "pass";
    case Outcome::kWarn:
      return "warn";
    case Outcome::kFail:
      return "FAIL";
    case Outcome::kSkip:
      return "skip";
  }
  return "?";
}

absl::StatusOr<std::vector<Verdict>> run_checks(const CheckOptions& options) {
  const re2::RE2 include(options.include, re2::RE2::Quiet);
  const re2::RE2 exclude(options.exclude, re2::RE2::Quiet);
  for (const auto* pattern : {&include, &exclude}) {
    if (pattern->ok()) continue;
    return absl::InvalidArgumentError(
        str_cat("'", pattern->pattern(), "' is not a regular expression: ", pattern->error()));
  }
  if (!options.target_glibc.empty() &&
      !re2::RE2::FullMatch(options.target_glibc, "\\d+(\\.\\d+)+")) {
    return absl::InvalidArgumentError(
        str_cat("expected a version of glibc such as 2.31, got '", options.target_glibc, "'"));
  }
  absl::StatusOr<std::unique_ptr<Subject>> subject = Subject::read(options);
  if (!subject.ok()) return absl::InvalidArgumentError(subject.status().message());
  std::vector<Verdict> verdicts;
  // What cannot even be a plugin is not run.
  bool runnable = true;
  for (const Check& check : kChecks) {
    const std::string id = check.id;
    if (!re2::RE2::PartialMatch(id, include)) continue;
    if (!options.exclude.empty() && re2::RE2::PartialMatch(id, exclude)) continue;
    Result result;
    if (check.kind == 'S') {
      result = check.run(**subject);
    } else if (!runnable) {
      result = skip("not run: a check before it says that this file cannot be loaded");
    } else {
      result = run_in_child(options, check);
    }
    const bool needed = check.number <= 3 || check.number == 8 || check.number == 11;
    if (needed && result.outcome == Outcome::kFail) runnable = false;
    verdicts.push_back({&check, std::move(result)});
  }
  if (verdicts.empty()) {
    return absl::InvalidArgumentError(
        str_cat("no check matches '", options.include, "'",
                options.exclude.empty() ? "" : str_cat(" and not '", options.exclude, "'"),
                " - --list names them"));
  }
  return verdicts;
}

}  // namespace fermata::kit
