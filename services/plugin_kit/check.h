// The checks of `fermata plugin check`: what each asks, how it is answered, and what came out.
//
// S reads the file's bytes and runs nothing. P (probe) and D (driven by the laboratory) run the
// plugin's code, each in a process of its own: see check_process.h.
#ifndef SERVICES_PLUGIN_KIT_CHECK_H_
#define SERVICES_PLUGIN_KIT_CHECK_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace fermata::kit {

class Subject;

enum class Outcome { kPass, kWarn, kFail, kSkip };
std::string_view outcome_name(Outcome outcome);  // "pass", "warn", "FAIL", "skip"

struct Result {
  Outcome outcome = Outcome::kPass;
  std::string why;  // one line: what was found, with both values, and what to do
};

inline Result pass(std::string why) { return {Outcome::kPass, std::move(why)}; }
inline Result warn(std::string why) { return {Outcome::kWarn, std::move(why)}; }
inline Result fail(std::string why) { return {Outcome::kFail, std::move(why)}; }
inline Result skip(std::string why) { return {Outcome::kSkip, std::move(why)}; }

struct Check {
  int number;
  const char* id;
  char kind;         // 'S', 'P' or 'D'
  const char* asks;  // one line
  Result (*run)(Subject&);
};
// In the order of their numbers. README.md names those that are left out, and why.
std::span<const Check> all_checks();
const Check* find_check(std::string_view id);

struct CheckOptions {
  std::string file;
  // testdata/<stage>/{config.json,NAME.in,NAME.out}; empty: "testdata" beside the file.
  std::string testdata;
  std::string include;  // regular expressions over ids; empty: all, none
  std::string exclude;
  std::string target_glibc;  // "2.31": fail when the file needs a newer one
  uint64_t seed = 1;
  absl::Duration fuzz = absl::ZeroDuration();
  absl::Duration timeout = absl::Seconds(30);  // of one check
  // The program and first arguments that end up in check_child_main().
  std::vector<std::string> child;
};

struct Verdict {
  const Check* check;
  Result result;
};
// Runs what include and exclude leave. INVALID_ARGUMENT for a bad expression or an unreadable file.
absl::StatusOr<std::vector<Verdict>> run_checks(const CheckOptions& options);

// The checks, by file.
Result check_elf_valid(Subject&);
Result check_note_present(Subject&);
Result check_entry_only_export(Subject&);
Result check_no_gnu_unique(Subject&);
Result check_no_static_tls(Subject&);
Result check_unloadable(Subject&);
Result check_hardening(Subject&);
Result check_deps_resolve(Subject&);
Result check_libc_floor(Subject&);
Result check_forbidden_imports(Subject&);

Result check_load_now(Subject&);
Result check_describe_pure(Subject&);
Result check_small_host(Subject&);
Result check_big_host(Subject&);
Result check_wrong_major(Subject&);
Result check_schema_valid(Subject&);
Result check_config_reject(Subject&);
Result check_create_destroy_loop(Subject&);

Result check_happy_path(Subject&);
Result check_token_discipline(Subject&);
Result check_finish_once(Subject&);
Result check_cancel_everywhere(Subject&);
Result check_error_everywhere(Subject&);
Result check_oom_everywhere(Subject&);
Result check_unknown_event(Subject&);
Result check_backpressure(Subject&);
Result check_blocking_thread(Subject&);
Result check_loop_hold(Subject&);
Result check_buffer_ownership(Subject&);
Result check_concurrency(Subject&);
Result check_deadline(Subject&);
Result check_metrics_hygiene(Subject&);
Result check_side_by_side(Subject&);
Result check_reload_drain(Subject&);
Result check_unload_verified(Subject&);
Result check_fuzz(Subject&);

}  // namespace fermata::kit

#endif  // SERVICES_PLUGIN_KIT_CHECK_H_
