// Stages of languages with a runtime of their own, Go and Python: the note asks for a process of
// their own, and they get it, work there and end with the host.
#include <string>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/stages/testing/host_fixture.h"

namespace fermata {
namespace {

class Languages : public HostFixture {
 public:
  Languages() {
    put_plugin("upper_go.so", "plugins/examples/go/upper_go.so");
    put_plugin("upper_python.so", "plugins/examples/python/upper_python.so");
  }
};

Co<absl::Status> upper(PluginHost* host, std::string use) {
  StageOutcome outcome = co_await call_stage(*host, use, R"("hello, world")");
  if (!outcome.status.ok()) co_return outcome.status;
  EXPECT_EQ(outcome.output.view(), R"("HELLO, WORLD")");
  EXPECT_TRUE(absl::StartsWith(outcome.version, "0.1.0+")) << outcome.version;
  co_return absl::OkStatus();
}

TEST_F(Languages, RunInProcessesOfTheirOwnBecauseTheirNotesSaySo) {
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    EXPECT_EQ(test.report.refusals, std::vector<std::string>());
    for (const PluginInfo& plugin : host.list()) {
      EXPECT_EQ(plugin.placement, "isolated") << plugin.id;
    }
    co_return co_await gather(upper(&host, "upper_go/upper"), upper(&host, "upper_go/upper"),
                              upper(&host, "upper_python/upper"),
                              upper(&host, "upper_python/upper"));
  });
}

TEST_F(Languages, LetGoAtOnceWhenTheyAreCancelled) {
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    for (const char* use : {"upper_go/upper", "upper_python/upper"}) {
      absl::Status warm = co_await upper(&host, use);
      EXPECT_EQ(warm, absl::OkStatus()) << use;
      CancelScope scope;
      scope.cancel();
      Outcome<void> outcome = co_await scope.run(upper(&host, use));
      EXPECT_TRUE(outcome.cancelled()) << use;
      absl::Status after = co_await upper(&host, use);
      EXPECT_EQ(after, absl::OkStatus()) << use << ": the same process goes on";
    }
    for (const PluginHost::ProcessView& view : host.process_views()) {
      EXPECT_EQ(view.stats->starts, 1u);
    }
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata
