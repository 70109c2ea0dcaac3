// Checks run on plugins that the test depends on.
#ifndef TESTS_PLUGIN_KIT_KIT_TESTING_H_
#define TESTS_PLUGIN_KIT_KIT_TESTING_H_

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/plugin_kit/check.h"

namespace fermata::kit {

// "FAIL hang: returned PENDING ..." of one check, or of all.
inline CheckOptions options_for(const std::string& file) {
  CheckOptions options;
  options.file = file;
  options.child = {"/proc/self/exe"};
  options.timeout = absl::Seconds(120);  // the machine may be busy; only `loops` waits for it
  return options;
}

inline std::vector<std::string> verdicts_of(const CheckOptions& options) {
  const absl::StatusOr<std::vector<Verdict>> verdicts = run_checks(options);
  EXPECT_TRUE(verdicts.ok()) << verdicts.status();
  std::vector<std::string> lines;
  if (!verdicts.ok()) return lines;
  for (const Verdict& verdict : *verdicts) {
    lines.push_back(absl::StrCat(std::string(outcome_name(verdict.result.outcome)), " ",
                                 verdict.check->id, ": ", verdict.result.why));
  }
  return lines;
}

inline std::string one_check(CheckOptions options, const std::string& id) {
  options.include = absl::StrCat("^", id, "$");
  const std::vector<std::string> lines = verdicts_of(options);
  EXPECT_EQ(lines.size(), 1u) << id;
  return lines.empty() ? "" : lines.front();
}

}  // namespace fermata::kit

#endif  // TESTS_PLUGIN_KIT_KIT_TESTING_H_
