// Cancellation, deadlines and the end of an instance, from the host's side.
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "tests/stages/testing/call_rules.h"

namespace fermata {
namespace {

TEST_F(CallRules, CancelOpGivesItsOneEventAsCancelled) {
  plugin.on_start = [this](ScriptedCall& job) {
    EXPECT_EQ(plugin.host->sleep_until(job.call, 5, plugin.now_ns() + 1'000'000'000, 0),
              FERMATA_OK);
    EXPECT_EQ(plugin.host->cancel_op(job.call, 5), FERMATA_OK);
    EXPECT_EQ(plugin.host->cancel_op(job.call, 5), FERMATA_OK);  // over already: nothing happens
    EXPECT_EQ(plugin.host->cancel_op(job.call, 6), FERMATA_E_INVALID);
    return FERMATA_PENDING;
  };
  plugin.on_resume = [](ScriptedCall&, const fermata_event&) { return FERMATA_OK; };
  run([](PluginHost& host, CallRules& test) -> Co<absl::Status> {
    StageOutcome outcome = co_await call_stage(host, ScriptedPlugin::kStage, "null");
    EXPECT_EQ(test.plugin.events, Events{"TIMER 5 -1 1"});
    co_return outcome.status;
  });
}

TEST_F(CallRules, CancelEndsEveryOpAndRefusesNewOnes) {
  plugin.on_start = [this](ScriptedCall& job) {
    EXPECT_EQ(plugin.host->sleep_until(job.call, 1, plugin.now_ns() + 3'600'000'000'000, 0),
              FERMATA_OK);
    EXPECT_EQ(plugin.host->await_wake(job.call, 2, 0), FERMATA_OK);
    return FERMATA_PENDING;
  };
  plugin.on_resume = [this](ScriptedCall& job, const fermata_event&) {
    EXPECT_EQ(plugin.host->is_cancelled(job.call), FERMATA_CANCEL_DEADLINE);
    EXPECT_EQ(plugin.host->sleep_until(job.call, 3, 0, 0), FERMATA_E_CANCELLED);
    return job.events == 2 ? FERMATA_E_CANCELLED : FERMATA_PENDING;
  };
  run([](PluginHost& host, CallRules& test) -> Co<absl::Status> {
    absl::StatusOr<StageOutcome> outcome = co_await cancelled_after(host, absl::Seconds(1));
    EXPECT_EQ(outcome.status().code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(test.plugin.events, (Events{"TIMER 1 -1 2", "WAKE 2 -1 2"}));
    absl::StatusOr<StageRef> stage = host.resolve(ScriptedPlugin::kStage);
    EXPECT_EQ((*stage)->counters().ended[static_cast<size_t>(StageResult::kDeadline)], 1u);
    co_return absl::OkStatus();
  });
}

TEST_F(CallRules, AShieldedOpSurvivesCancellationForCleanUp) {
  plugin.on_start = [this](ScriptedCall& job) {
    EXPECT_EQ(plugin.host->sleep_until(job.call, 1, plugin.now_ns() + 3'600'000'000'000, 0),
              FERMATA_OK);
    return FERMATA_PENDING;
  };
  plugin.on_resume = [this](ScriptedCall& job, const fermata_event& event) {
    if (event.token == 2) return FERMATA_E_CANCELLED;
    EXPECT_EQ(plugin.host->sleep_until(job.call, 2, plugin.now_ns() + 1'000'000, FERMATA_OP_SHIELD),
              FERMATA_OK);
    return FERMATA_PENDING;
  };
  run([](PluginHost& host, CallRules& test) -> Co<absl::Status> {
    absl::StatusOr<StageOutcome> outcome = co_await cancelled_after(host, absl::Seconds(1));
    EXPECT_FALSE(outcome.ok());
    EXPECT_EQ(test.plugin.events, (Events{"TIMER 1 -1 2", "TIMER 2 0 0"}));
    co_return absl::OkStatus();
  });
}

TEST_F(CallRules, AResultThatIsThereWinsOverTheCancellation) {
  plugin.on_start = [this](ScriptedCall& job) {
    EXPECT_EQ(plugin.host->sleep_until(job.call, 1, plugin.now_ns() + 3'600'000'000'000, 0),
              FERMATA_OK);
    return FERMATA_PENDING;
  };
  plugin.on_resume = [this](ScriptedCall& job, const fermata_event&) {
    return plugin.answer(job, "\"anyway\"");
  };
  run([](PluginHost& host, CallRules& test) -> Co<absl::Status> {
    absl::StatusOr<StageRef> stage = host.resolve(ScriptedPlugin::kStage);
    StageRequest request;
    request.deadline = now() + absl::Seconds(1);
    StageOutcome outcome = co_await host.call(*stage, std::move(request));
    EXPECT_EQ(outcome.output.view(), "\"anyway\"");
    co_return outcome.status;
  });
}

TEST_F(CallRules, AStageThatDoesNotLetGoIsAbandonedAfterTheGracePeriod) {
  plugin.on_start = [this](ScriptedCall& job) {
    EXPECT_EQ(plugin.host->await_wake(job.call, 1, FERMATA_OP_SHIELD), FERMATA_OK);
    return FERMATA_PENDING;
  };
  plugin.on_resume = [](ScriptedCall&, const fermata_event&) { return FERMATA_OK; };
  run([](PluginHost& host, CallRules& test) -> Co<absl::Status> {
    const absl::Time began = now();
    absl::StatusOr<StageRef> stage = host.resolve(ScriptedPlugin::kStage);
    StageRequest request;
    request.deadline = now() + absl::Seconds(1);
    StageOutcome outcome = co_await host.call(*stage, std::move(request));
    EXPECT_EQ(outcome.status.code(), absl::StatusCode::kDeadlineExceeded) << outcome.status;
    EXPECT_EQ(now() - began, absl::Seconds(6));  // the deadline, then the grace period
    EXPECT_EQ((*stage)->counters().in_flight, 0u);
    EXPECT_EQ((*stage)->counters().abandoned, 1u);
    EXPECT_EQ((*stage)->counters().ended[static_cast<size_t>(StageResult::kAbandoned)], 1u);
    EXPECT_EQ(test.plugin.finished, 0);
    // It lets go in the end.
    EXPECT_EQ(test.plugin.host->wake(test.plugin.last_call, 1, 0), FERMATA_OK);
    co_await yield_now();
    co_await yield_now();
    EXPECT_EQ((*stage)->counters().abandoned, 0u);
    EXPECT_EQ(test.plugin.finished, 1);
    co_return absl::OkStatus();
  });
}

TEST_F(CallRules, ClosingTheInstanceEndsTheRootCallsOpsBeforeDestroy) {
  plugin.on_create = [this] {
    fermata_call* root = plugin.host->instance_call(plugin.instance);
    EXPECT_EQ(plugin.host->sleep_until(root, 1, plugin.now_ns() + 3'600'000'000'000, 0),
              FERMATA_OK);
    EXPECT_EQ(plugin.host->await_wake(root, 2, 0), FERMATA_OK);
    const fermata_buf nothing = {nullptr, 0, nullptr};
    EXPECT_EQ(plugin.host->emit(root, &nothing, 0), FERMATA_E_UNSUPPORTED);
    EXPECT_EQ(plugin.host->emit(root, nullptr, 0), FERMATA_E_INVALID);
    return FERMATA_OK;
  };
  plugin.on_instance_event = [this](const fermata_event&) { EXPECT_EQ(plugin.destroyed, 0); };
  run([](PluginHost& host, CallRules& test) -> Co<absl::Status> { co_return absl::OkStatus(); });
  EXPECT_EQ(plugin.instance_events, (Events{"TIMER 1 -1 3", "WAKE 2 -1 3"}));
}

TEST_F(CallRules, CancellingAParentCancelsItsSubStageFirst) {
  plugin.on_start = [this](ScriptedCall& job) {
    if (job.input == "\"child\"") {
      EXPECT_EQ(plugin.host->sleep_until(job.call, 1, plugin.now_ns() + 3'600'000'000'000, 0),
                FERMATA_OK);
      return FERMATA_PENDING;
    }
    std::string text = "\"child\"";
    const fermata_buf input = {reinterpret_cast<uint8_t*>(text.data()), text.size(), nullptr};
    EXPECT_EQ(plugin.host->call_stage(job.call, 2, {"scripted/stage", 14}, &input, 0, 0),
              FERMATA_OK);
    return FERMATA_PENDING;
  };
  plugin.on_resume = [](ScriptedCall&, const fermata_event& event) { return event.status; };
  run([](PluginHost& host, CallRules& test) -> Co<absl::Status> {
    absl::StatusOr<StageOutcome> outcome = co_await cancelled_after(host, absl::Seconds(1));
    EXPECT_FALSE(outcome.ok());
    EXPECT_EQ(test.plugin.events.size(), 2u);
    if (test.plugin.events.size() != 2) co_return absl::OkStatus();
    EXPECT_EQ(test.plugin.events[0], "TIMER 1 -1 2");
    EXPECT_EQ(test.plugin.events[1].substr(0, 11), "STAGE 2 -1 ");
    co_return absl::OkStatus();
  });
}

TEST_F(CallRules, AFailedCreateDropsWhatItBegan) {
  plugin.on_create = [this] {
    fermata_call* root = plugin.host->instance_call(plugin.instance);
    EXPECT_EQ(plugin.host->sleep_until(root, 1, plugin.now_ns() + 1'000'000, 0), FERMATA_OK);
    EXPECT_EQ(plugin.host->await_wake(root, 2, 0), FERMATA_OK);
    return FERMATA_E_UNAVAILABLE;
  };
  SimLoop loop;
  ScriptedPlugin* script = &plugin;
  Loop* base = &loop;
  const absl::Status status = loop.run(
      [](ScriptedPlugin* plugin, Loop* loop) -> Co<absl::Status> {
        PluginHost host(*loop, StagesOptions());
        absl::Status added = co_await host.add_plugin("scripted.so", plugin->descriptor());
        EXPECT_EQ(added.message(),
                  "PLG-160 test.scripted/stage: create() returned E_UNAVAILABLE: no reason given");
        co_await sleep(absl::Seconds(1));
        EXPECT_TRUE(plugin->instance_events.empty());
        EXPECT_EQ(host.list().at(0).refusal, added.message());
        co_await host.close();
        co_return absl::OkStatus();
      },
      script, base);
  EXPECT_TRUE(status.ok()) << status;
}

// Cancel at every moment, in many orders: the call ends, nothing leaks, nothing is delivered
// afterwards.
TEST_F(CallRules, CancelAtAnyMomentEndsTheCall) {
  plugin.on_start = [this](ScriptedCall& job) {
    EXPECT_EQ(plugin.host->sleep_until(job.call, 1, plugin.now_ns() + 3'000'000, 0), FERMATA_OK);
    EXPECT_EQ(plugin.host->offload(job.call, 2, 0, 0), FERMATA_OK);
    EXPECT_EQ(plugin.host->await_wake(job.call, 3, 0), FERMATA_OK);
    return FERMATA_PENDING;
  };
  plugin.on_blocking = [](uint64_t) { return FERMATA_OK; };
  plugin.on_resume = [this](ScriptedCall& job, const fermata_event& event) {
    if (event.status < 0) return event.status;
    if (event.token == 1) (void)plugin.host->wake(job.call, 3, 1);
    if (event.token != 3) return FERMATA_PENDING;
    std::string text = "\"x\"";
    const fermata_buf input = {reinterpret_cast<uint8_t*>(text.data()), text.size(), nullptr};
    if (job.step++ > 0) return FERMATA_OK;
    const fermata_status called =
        plugin.host->call_stage(job.call, 3, {"scripted/echo", 13}, &input, 0, 0);
    return called < 0 ? called : FERMATA_PENDING;
  };
  for (uint64_t seed = 0; seed < 50; ++seed) {
    plugin.quiesced = 0;
    plugin.destroyed = plugin.echoes_destroyed = plugin.created = 0;
    run(
        [](PluginHost& host, CallRules& test) -> Co<absl::Status> {
          for (int ms = 0; ms < 8; ++ms) {
            absl::StatusOr<StageOutcome> outcome =
                co_await cancelled_after(host, absl::Milliseconds(ms) / 2);
            if (ms == 0) {
              EXPECT_FALSE(outcome.ok());
            }
          }
          co_return absl::OkStatus();
        },
        seed);
  }
}

}  // namespace
}  // namespace fermata
