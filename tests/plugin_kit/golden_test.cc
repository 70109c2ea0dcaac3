// Each check of the kit finds what it is for: a plugin with that one thing wrong, and its words.
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "services/plugin_kit/subject.h"
#include "tests/plugin_kit/kit_testing.h"

namespace fermata::kit {
namespace {

std::string bad(const std::string& name) { return "tests/plugin_kit/bad/" + name + ".so"; }
std::string unfit(const std::string& name) { return "tests/stages/bad/" + name + ".so"; }

struct Golden {
  std::string file;
  const char* check;
  const char* verdict;  // how the line begins
};

std::string scratch(const char* name, std::string_view bytes) {
  const std::string path = testing::TempDir() + "/" + name;
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

const std::vector<Golden>& goldens() {
  static const std::vector<Golden> kGoldens = {
      {unfit("no_note"), "note-present", "FAIL note-present: no note"},
      {bad("exports"), "entry-only-export", "warn entry-only-export: exports 1 symbols besides"},
      {unfit("no_symbol"), "entry-only-export", "FAIL entry-only-export: does not export"},
      {unfit("unique"), "no-gnu-unique", "FAIL no-gnu-unique: 1 STB_GNU_UNIQUE symbols (shared_by"},
      {unfit("static_tls"), "no-static-tls", "FAIL no-static-tls: DF_STATIC_TLS"},
      {bad("no_delete"), "unloadable", "warn unloadable: DF_1_NODELETE"},
      {bad("lazy"), "hardening", "warn hardening: lazy binding"},
      {bad("run_path"), "deps-resolve", "FAIL deps-resolve: PLG-123"},
      {bad("forbidden"), "forbidden-imports", "warn forbidden-imports: imports exit"},
      {unfit("undefined"), "load-now", "FAIL load-now: dlopen: "},
      {bad("constructor"), "load-now", "FAIL load-now: loading it changed: a handler for signal"},
      {bad("impure"), "describe-pure", "FAIL describe-pure: two calls of fermata_plugin_v1"},
      {unfit("note_mismatch"), "describe-pure", "FAIL describe-pure: the note says org.a 1.2.0"},
      {bad("needs_extension"), "small-host", "FAIL small-host: died with SIGSEGV in create() of"},
      {bad("exact_host"), "big-host", "FAIL big-host: refuses a host of ABI 1.99"},
      {bad("any_major"), "wrong-major", "FAIL wrong-major: answers a host of ABI 2"},
      {bad("schema"), "schema-valid", "FAIL schema-valid: echo.config_schema: "},
      {bad("silent_create"), "config-reject", "warn config-reject: echo: create() refused"},
      {bad("leaky_create"), "create-destroy-loop", "FAIL create-destroy-loop: echo: 1000 times"},
      {bad("not_json"), "happy-path", "FAIL happy-path: echo, sample generated: its output is not"},
      {bad("hang"), "token-discipline",
       "FAIL token-discipline: echo, sample generated: start() "
       "returned PENDING with nothing outstanding"},
      {bad("after_finish"), "finish-once", "FAIL finish-once: echo, sample generated: cancel_op()"},
      {bad("leak_on_cancel"), "cancel-everywhere",
       "FAIL cancel-everywhere: echo, sample generated"
       ", cancelled before event 1 of 1: 1 buffers"},
      {bad("ignores_refusal"), "error-everywhere",
       "FAIL error-everywhere: echo, sample generated, "
       "refused op 1 of 1: start() returned PENDING"},
      {bad("ignores_oom"), "oom-everywhere", "FAIL oom-everywhere: died with SIGSEGV in resume()"},
      {bad("any_event"), "unknown-event",
       "FAIL unknown-event: echo, sample generated: resume() "
       "answered an event of unknown kind 999 with 0"},
      {bad("floods"), "backpressure",
       "FAIL backpressure: echo, sample generated with credit 0: "
       "emit() again after WOULD_BLOCK"},
      {bad("wrong_thread"), "blocking-thread",
       "FAIL blocking-thread: echo, sample generated: "
       "emit() was called on another thread"},
      {bad("busy"), "loop-hold", "warn loop-hold: echo, sample generated: held the loop for"},
      {bad("leaks_buffer"), "buffer-ownership",
       "FAIL buffer-ownership: echo, sample generated: 1 "
       "buffers were never released"},
      {bad("reads_released"), "buffer-ownership",
       "FAIL buffer-ownership: died with SIGSEGV in "
       "resume()"},
      {bad("mixes"), "concurrency", "FAIL concurrency: echo, sample generated: among 1000 calls"},
      {bad("late"), "deadline", "warn deadline: echo, sample generated: ended 59999 ms after"},
      {bad("metric"), "metrics-hygiene",
       "FAIL metrics-hygiene: echo, sample generated: metric "
       "fetched is a counter"},
      {bad("shares"), "side-by-side", "FAIL side-by-side: beside a second copy"},
      {bad("leaves_thread"), "reload-drain", "FAIL reload-drain: 2 of its threads run after"},
      {bad("no_delete"), "unload-verified", "warn unload-verified: after dlclose() its code is"},
      {bad("crashes"), "happy-path", "FAIL happy-path: died with SIGSEGV in start() of echo"},
      {bad("exits"), "happy-path",
       "FAIL happy-path: ended the process with exit code 3 in start()"},
  };
  return kGoldens;
}

TEST(Golden, EachBadPluginFailsTheCheckThatIsForIt) {
  for (const Golden& golden : goldens()) {
    const std::string line = one_check(options_for(golden.file), golden.check);
    EXPECT_EQ(line.substr(0, std::string(golden.verdict).size()), golden.verdict)
        << golden.file << "\n"
        << line;
  }
}

TEST(Golden, EveryCheckHasAPluginThatFailsIt) {
  std::set<std::string> tried = {"elf-valid", "libc-floor", "fuzz"};  // in tests of their own
  for (const Golden& golden : goldens()) tried.insert(golden.check);
  for (const Check& check : all_checks()) EXPECT_EQ(tried.count(check.id), 1u) << check.id;
}

TEST(Golden, AGoodPluginPassesEveryCheck) {
  for (const std::string& line : verdicts_of(options_for(bad("good")))) {
    const bool known = line == "skip backpressure: no stage of it streams" ||
                       line == "skip fuzz: no --fuzz DURATION was given";
    EXPECT_TRUE(line.substr(0, 5) == "pass " || known) << line;
  }
}

TEST(Golden, AFileThatIsNoPluginIsNotRun) {
  const std::string text = scratch("text.so", "hello, this is no plugin\n");
  const std::vector<std::string> lines = verdicts_of(options_for(text));
  ASSERT_EQ(lines.size(), all_checks().size());
  EXPECT_EQ(lines[0].substr(0, 52), "FAIL elf-valid: not an ELF shared object (first byte");
  EXPECT_EQ(lines[10].substr(0, 23), "skip load-now: not run:");
}

TEST(Golden, AFileCutShortIsNoPlugin) {
  const std::string whole = *read_file(bad("good"));
  const std::string cut = scratch("cut.so", std::string_view(whole).substr(0, whole.size() / 2));
  EXPECT_EQ(one_check(options_for(cut), "elf-valid").substr(0, 26), "FAIL elf-valid: cut short ");
}

TEST(Golden, AFailureComesWithTheLastThingThatThePluginSaid) {
  EXPECT_EQ(one_check(options_for(unfit("init_fails")), "happy-path"),
            "FAIL happy-path: PLG-117 init_fails.so: init() returned E_UNAVAILABLE; it said: no "
            "licence");
}

TEST(Golden, ALimitOnCallsAtOnceIsNoMixUp) {
  EXPECT_EQ(one_check(options_for(bad("limited")), "concurrency"),
            "pass concurrency: 1000 calls at once, each answered as when alone, or told to try "
            "again (990)");
}

TEST(Golden, WhatIsNoFileIsRefusedUnread) {
  const std::string fifo = scratch("fifo.so", "");
  ASSERT_EQ(::unlink(fifo.c_str()), 0);
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const std::string huge = scratch("huge.so", "");
  ASSERT_EQ(::truncate(huge.c_str(), int64_t{200} << 30), 0);
  for (const auto& [path, why] : {std::pair{fifo, "got something else"},
                                  {testing::TempDir(), "got something else"},
                                  {std::string("/dev/zero"), "got something else"},
                                  {huge, "expected at most 1GiB, got more"}}) {
    const absl::Status status = run_checks(options_for(path)).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << path << ": " << status;
    EXPECT_TRUE(absl::EndsWith(status.message(), why)) << status;
  }
}

TEST(Golden, AFilterThatLeavesNothingIsNoPass) {
  CheckOptions options = options_for(bad("good"));
  options.include = "hapy";
  EXPECT_EQ(run_checks(options).status().message(), "no check matches 'hapy' - --list names them");
  options.include = "happy";
  options.exclude = "path";
  EXPECT_EQ(run_checks(options).status().message(),
            "no check matches 'happy' and not 'path' - --list names them");
}

TEST(Golden, ATargetThatIsNoVersionIsNoTarget) {
  CheckOptions options = options_for(bad("good"));
  options.target_glibc = "bookworm";
  EXPECT_EQ(run_checks(options).status().message(),
            "expected a version of glibc such as 2.31, got 'bookworm'");
}

TEST(Golden, ALibcFloorAboveTheTargetFails) {
  CheckOptions options = options_for(bad("good"));
  options.target_glibc = "2.0";
  const std::string line = one_check(options, "libc-floor");
  EXPECT_EQ(line.substr(0, 29), "FAIL libc-floor: needs glibc ") << line;
  options.target_glibc = "99.0";
  EXPECT_EQ(one_check(options, "libc-floor").substr(0, 5), "pass ");
}

TEST(Golden, ChanceFindsTheInputThatLeaks) {
  CheckOptions options = options_for(bad("fuzz"));
  options.fuzz = absl::Seconds(5);
  const std::string line = one_check(options, "fuzz");
  EXPECT_EQ(line.substr(0, 11), "warn fuzz: ") << line;
}

TEST(Golden, APluginThatNeverComesBackIsStopped) {
  CheckOptions options = options_for(bad("loops"));
  options.timeout = absl::Milliseconds(1500);
  const std::string line = one_check(options, "happy-path");
  EXPECT_EQ(line.substr(0, 44), "FAIL happy-path: did not end within 1.5s in ") << line;
}

}  // namespace
}  // namespace fermata::kit
