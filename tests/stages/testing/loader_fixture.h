// Loader: one unfit plugin file between two good ones, and what the server says of it.
#ifndef TESTS_STAGES_TESTING_LOADER_FIXTURE_H_
#define TESTS_STAGES_TESTING_LOADER_FIXTURE_H_

#include <string>
#include <string_view>

#include "tests/stages/testing/host_fixture.h"

namespace fermata {

class Loader : public HostFixture {
 public:
  // The bytes of one of tests/stages/bad.
  static std::string bad(const std::string& name) {
    return read_runfile("tests/stages/bad/" + name + ".so");
  }
  // Overwrites the first `from` with `to`, of the same length.
  static std::string replaced(std::string bytes, std::string_view from, std::string_view to) {
    EXPECT_EQ(from.size(), to.size());
    const size_t at = bytes.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    if (at != std::string::npos) bytes.replace(at, from.size(), to);
    return bytes;
  }

  // Loads `bytes` as bad.so between two good files and gives bad.so's refusal; the others must
  // load.
  std::string refusal_of(std::string_view bytes, int mode = 0644) {
    put("bad.so", bytes, mode);
    return load_and_refuse();
  }
  std::string load_and_refuse() {
    put("a.so", bad("good"));
    put_plugin("z.so", "tests/abi/upper.so");
    run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
      EXPECT_EQ(test.report.loaded, 2u);
      EXPECT_TRUE(host.resolve("good/noop").ok());
      StageOutcome outcome = co_await call_stage(host, "plain/upper", "\"abc\"");
      EXPECT_EQ(outcome.output.view(), "\"ABC\"");
      EXPECT_EQ(host.list().size(), 3u);
      co_return absl::OkStatus();
    });
    EXPECT_EQ(report.refusals.size(), 1u);
    return report.refusals.empty() ? "" : report.refusals.front();
  }
};

}  // namespace fermata

#endif  // TESTS_STAGES_TESTING_LOADER_FIXTURE_H_
