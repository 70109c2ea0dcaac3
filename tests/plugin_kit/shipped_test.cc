// The plugins that ship pass their own kit.
#include <fstream>
#include <string>

#include "services/plugin_kit/subject.h"
#include "tests/plugin_kit/kit_testing.h"

namespace fermata::kit {
namespace {

class Shipped : public testing::TestWithParam<std::string> {};

TEST_P(Shipped, PassesPluginCheck) {
  CheckOptions options = options_for("plugins/" + GetParam() + "/" + GetParam() + ".so");
  options.testdata = "tests/plugin_kit/testdata/" + GetParam();
  for (const std::string& line : verdicts_of(options)) {
    EXPECT_NE(line.substr(0, 5), "FAIL ") << line;
    std::cout << line << std::endl;
  }
}

INSTANTIATE_TEST_SUITE_P(Plugins, Shipped,
                         testing::Values("dns", "exec", "file", "grpc", "html", "http", "jq",
                                         "json", "postgres", "redis", "s3", "smtp", "time"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace fermata::kit
