// The same stage in five languages: each passes `fermata plugin check` with the same samples, and
// runs on a real loop.
#include <string>
#include <vector>

#include "services/plugin_kit/run_stage.h"
#include "tests/plugin_kit/kit_testing.h"

namespace fermata::kit {
namespace {

class Example : public testing::TestWithParam<std::string> {
 public:
  std::string file() const {
    return "plugins/examples/" + GetParam() + "/upper_" + GetParam() + ".so";
  }
};

TEST_P(Example, PassesPluginCheckWithItsSamples) {
  CheckOptions options = options_for(file());
  options.testdata = "plugins/examples/testdata";
  bool compared = false;
  for (const std::string& line : verdicts_of(options)) {
    EXPECT_NE(line.substr(0, 5), "FAIL ") << line;
    std::cout << line << std::endl;
    const std::string happy = "pass happy-path: 2 calls; upper, sample escapes ended OK ";
    compared = compared || (line.substr(0, happy.size()) == happy &&
                            line.find("to compare with") == std::string::npos);
  }
  EXPECT_TRUE(compared);
}

TEST_P(Example, RunsOnARealLoop) {
  RunOptions options;
  options.file = file();
  options.stage = "upper";
  options.input = R"("hello, world")";
  const absl::StatusOr<std::string> output = run_stage(options);
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_EQ(*output, R"("HELLO, WORLD")");
}

TEST_P(Example, InputAgainstItsSchemaIsRefused) {
  RunOptions options;
  options.file = file();
  options.stage = "upper";
  options.input = "17";
  EXPECT_EQ(run_stage(options).status().code(), absl::StatusCode::kInvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(Languages, Example, testing::Values("c", "cpp", "rust", "go", "python"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace fermata::kit
