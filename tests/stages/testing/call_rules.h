// CallRules: a scripted plugin in a PluginHost on the simulated loop: time is virtual, so a grace
// period of five seconds costs nothing.
#ifndef TESTS_STAGES_TESTING_CALL_RULES_H_
#define TESTS_STAGES_TESTING_CALL_RULES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "services/async/async.h"
#include "services/async/sim_loop.h"
#include "services/stages/plugin_host.h"
#include "tests/stages/testing/host_fixture.h"
#include "tests/stages/testing/scripted_plugin.h"

namespace fermata {

using Events = std::vector<std::string>;

class CallRules : public testing::Test {
 public:
  using Body = Co<absl::Status> (*)(PluginHost& host, CallRules& test);

  // Runs the body with the plugin added, on a simulated loop.
  void run(Body body, uint64_t seed = 0) {
    SimLoop loop(seed);
    CallRules* self = this;
    Loop* base = &loop;
    const absl::Status status = loop.run(&CallRules::run_on_loop, self, base, body);
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(plugin.started, plugin.finished);
    EXPECT_EQ(plugin.destroyed, plugin.created);
    EXPECT_EQ(plugin.echoes_destroyed, plugin.created);
    EXPECT_EQ(plugin.quiesced, 1);
  }

  static Co<absl::Status> run_on_loop(CallRules* test, Loop* loop, Body body) {
    StagesOptions options;
    options.log = [test](const StageLogRecord& record) { test->logs.emplace_back(record.message); };
    PluginHost host(*loop, options);
    absl::Status status = co_await host.add_plugin("scripted.so", test->plugin.descriptor());
    if (status.ok()) status = co_await body(host, *test);
    co_await host.close();
    co_return status;
  }

  ScriptedPlugin plugin;
  std::vector<std::string> logs;
};

// The scripted stage's call, cancelled by a timeout around it.
inline Co<absl::StatusOr<StageOutcome>> cancelled_after(PluginHost& host, absl::Duration delay) {
  co_return co_await timeout(delay, call_stage(host, ScriptedPlugin::kStage, "null"));
}

}  // namespace fermata

#endif  // TESTS_STAGES_TESTING_CALL_RULES_H_
