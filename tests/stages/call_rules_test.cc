// The rules of fermata_abi.h, from the host's side: one event per op, results, and plugins that
// break the rules.
#include "tests/stages/testing/call_rules.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cmath>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace fermata {
namespace {

TEST_F(CallRules, ATimerGivesOneEventAndTheCallEndsByReturning) {
  plugin.on_start = [this](ScriptedCall& job) {
    EXPECT_EQ(plugin.host->sleep_until(job.call, 7, plugin.now_ns() + 1000, 0), FERMATA_OK);
    return FERMATA_PENDING;
  };
  plugin.on_resume = [this](ScriptedCall& job, const fermata_event&) {
    return plugin.answer(job, "\"done\"");
  };
  run([](PluginHost& host, CallRules& test) -> Co<absl::Status> {
    StageOutcome outcome = co_await call_stage(host, ScriptedPlugin::kStage, "null");
    EXPECT_EQ(outcome.output.view(), "\"done\"");
    EXPECT_EQ(test.plugin.events, Events{"TIMER 7 0 0"});
    co_return outcome.status;
  });
}

TEST_F(CallRules, PendingWithNothingOutstandingEndsTheCallAtOnce) {
  plugin.on_start = [](ScriptedCall&) { return FERMATA_PENDING; };
  run([](PluginHost& host, CallRules& test) -> Co<absl::Status> {
    StageOutcome outcome = co_await call_stage(host, ScriptedPlugin::kStage, "null");
    EXPECT_EQ(outcome.status.code(), absl::StatusCode::kInternal);
    EXPECT_EQ(outcome.status.message(),
              "returned PENDING with nothing outstanding: it would wait for ever");
    EXPECT_FALSE(outcome.retryable);
    co_return absl::OkStatus();
  });
}

TEST_F(CallRules, PendingAfterTheLastEventEndsTheCallToo) {
  plugin.on_start = [this](ScriptedCall& job) {
    EXPECT_EQ(plugin.host->sleep_until(job.call, 1, 0, 0), FERMATA_OK);
    return FERMATA_PENDING;
  };
  plugin.on_resume = [](ScriptedCall&, const fermata_event&) { return FERMATA_PENDING; };
  run([](PluginHost& host, CallRules& test) -> Co<absl::Status> {
    StageOutcome outcome = co_await call_stage(host, ScriptedPlugin::kStage, "null");
    EXPECT_EQ(outcome.status.code(), absl::StatusCode::kInternal);
    co_return absl::OkStatus();
  });
}

TEST_F(CallRules, StrangeReturnValuesAreInternalErrors) {
  run([](PluginHost& host, CallRules& test) -> Co<absl::Status> {
    for (fermata_status strange : {2, 77, -11, -1000}) {
      test.plugin.on_start = [strange](ScriptedCall&) { return strange; };
      StageOutcome outcome = co_await call_stage(host, ScriptedPlugin::kStage, "null");
      EXPECT_EQ(outcome.status.code(), absl::StatusCode::kInternal) << strange;
    }
    co_return absl::OkStatus();
  });
}

TEST_F(CallRules, ATokenMayNotBeOutstandingTwice) {
  plugin.on_start = [this](ScriptedCall& job) {
    EXPECT_EQ(plugin.host->sleep_until(job.call, 1, plugin.now_ns() + 1000, 0), FERMATA_OK);
    EXPECT_EQ(plugin.host->sleep_until(job.call, 1, plugin.now_ns() + 2000, 0), FERMATA_E_INVALID);
    EXPECT_EQ(plugin.host->await_wake(job.call, 1, 0), FERMATA_E_INVALID);
    return FERMATA_PENDING;
  };
  plugin.on_resume = [this](ScriptedCall& job, const fermata_event&) {
    if (job.events == 1) {  // free again
      EXPECT_EQ(plugin.host->sleep_until(job.call, 1, plugin.now_ns() + 1000, 0), FERMATA_OK);
      return FERMATA_PENDING;
    }
    return FERMATA_OK;
  };
  run([](PluginHost& host, CallRules& test) -> Co<absl::Status> {
    StageOutcome outcome = co_await call_stage(host, ScriptedPlugin::kStage, "null");
    EXPECT_EQ(test.plugin.events.size(), 2u);
    EXPECT_EQ(outcome.output.view(), "null");  // a stage that emits nothing has nothing to say
    co_return outcome.status;
  });
}

TEST_F(CallRules, OpsStillOutstandingWhenTheCallEndsGiveNoEvent) {
  plugin.on_start = [this](ScriptedCall& job) {
    for (uint64_t token = 1; token <= 40; ++token) {
      EXPECT_EQ(plugin.host->sleep_until(job.call, token, plugin.now_ns() + 1'000'000 * token, 0),
                FERMATA_OK);
    }
    return FERMATA_PENDING;
  };
  plugin.on_resume = [](ScriptedCall& job, const fermata_event&) {
    return job.events == 3 ? FERMATA_OK : FERMATA_PENDING;
  };
  run([](PluginHost& host, CallRules& test) -> Co<absl::Status> {
    StageOutcome outcome = co_await call_stage(host, ScriptedPlugin::kStage, "null");
    co_await sleep(absl::Seconds(1));
    EXPECT_EQ(test.plugin.events, (Events{"TIMER 1 0 0", "TIMER 2 0 0", "TIMER 3 0 0"}));
    co_return outcome.status;
  });
}

TEST_F(CallRules, WakeLeadsTheCallBackFromElsewhere) {
  plugin.on_start = [this](ScriptedCall& job) {
    EXPECT_EQ(plugin.host->wake(job.call, 9, 1), FERMATA_E_INVALID);  // nobody waits
    EXPECT_EQ(plugin.host->await_wake(job.call, 9, 0), FERMATA_OK);
    EXPECT_EQ(plugin.host->sleep_until(plugin.host->instance_call(plugin.instance), 1,
                                       plugin.now_ns() + 1000, 0),
              FERMATA_OK);
    return FERMATA_PENDING;
  };
  plugin.on_instance_event = [this](const fermata_event&) {
    EXPECT_EQ(plugin.host->wake(plugin.last_call, 9, 42), FERMATA_OK);
    EXPECT_EQ(plugin.host->wake(plugin.last_call, 9, 43), FERMATA_E_INVALID);  // one event per op
  };
  plugin.on_resume = [](ScriptedCall&, const fermata_event&) { return FERMATA_OK; };
  run([](PluginHost& host, CallRules& test) -> Co<absl::Status> {
    StageOutcome outcome = co_await call_stage(host, ScriptedPlugin::kStage, "null");
    EXPECT_EQ(test.plugin.events, Events{"WAKE 9 0 42"});
    EXPECT_EQ(test.plugin.instance_events, Events{"TIMER 1 0 0"});
    co_return outcome.status;
  });
}

TEST_F(CallRules, DescriptorsArePolledOnce) {
  int fds[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
  const int ours = fds[0];
  const int theirs = fds[1];
  plugin.on_start = [this, theirs](ScriptedCall& job) {
    EXPECT_EQ(plugin.host->poll_fd(job.call, 1, -1, 1, 0), FERMATA_E_INVALID);
    EXPECT_EQ(plugin.host->poll_fd(job.call, 1, theirs, 0, 0), FERMATA_E_INVALID);
    EXPECT_EQ(plugin.host->poll_fd(job.call, 1, theirs, /*POLLIN*/ 1, 0), FERMATA_OK);
    EXPECT_EQ(plugin.host->poll_fd(job.call, 2, theirs, /*POLLIN|POLLOUT*/ 5, 0), FERMATA_OK);
    return FERMATA_PENDING;
  };
  plugin.on_resume = [ours](ScriptedCall& job, const fermata_event&) {
    if (job.events == 1) {
      EXPECT_EQ(::write(ours, "x", 1), 1);
    }
    return job.events == 2 ? FERMATA_OK : FERMATA_PENDING;
  };
  run([](PluginHost& host, CallRules& test) -> Co<absl::Status> {
    StageOutcome outcome = co_await call_stage(host, ScriptedPlugin::kStage, "null");
    EXPECT_EQ(test.plugin.events, (Events{"FD 2 0 4", "FD 1 0 1"}));
    co_return outcome.status;
  });
  ::close(ours);
  ::close(theirs);
}

// The simulated loop looks for closed descriptors, as io_uring does; epoll has no word for them.
TEST_F(CallRules, AClosedDescriptorIsAnErrorAndNotReady) {
  int fds[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
  ::close(fds[1]);
  const int ours = fds[0];
  plugin.on_start = [this, ours](ScriptedCall& job) {
    EXPECT_EQ(plugin.host->poll_fd(job.call, 1, ours, /*POLLIN*/ 1, 0), FERMATA_OK);
    ::close(ours);
    return FERMATA_PENDING;
  };
  plugin.on_resume = [](ScriptedCall&, const fermata_event&) { return FERMATA_OK; };
  run([](PluginHost& host, CallRules& test) -> Co<absl::Status> {
    StageOutcome outcome = co_await call_stage(host, ScriptedPlugin::kStage, "null");
    EXPECT_EQ(test.plugin.events, Events{"FD 1 -3 32"}) << "FERMATA_E_INVALID, POLLNVAL";
    co_return outcome.status;
  });
}

TEST_F(CallRules, OffloadRunsOnAWorkerAndReturnsItsStatus) {
  plugin.on_start = [this](ScriptedCall& job) {
    EXPECT_EQ(plugin.host->offload(job.call, 1, /*pool=*/3, 0), FERMATA_E_UNSUPPORTED);
    EXPECT_EQ(plugin.host->offload(job.call, 4, 0, 0), FERMATA_OK);
    return FERMATA_PENDING;
  };
  plugin.on_blocking = [](uint64_t token) { return token == 4 ? FERMATA_E_TRANSIENT : FERMATA_OK; };
  plugin.on_resume = [](ScriptedCall&, const fermata_event& event) { return event.status; };
  run([](PluginHost& host, CallRules& test) -> Co<absl::Status> {
    StageOutcome outcome = co_await call_stage(host, ScriptedPlugin::kStage, "null");
    EXPECT_EQ(test.plugin.events, Events{"BLOCKING 4 -4 0"});
    EXPECT_EQ(outcome.status.code(), absl::StatusCode::kAborted);
    EXPECT_TRUE(outcome.retryable);
    co_return absl::OkStatus();
  });
}

TEST_F(CallRules, ASubStagesOutputAndErrorsComeAsEvents) {
  plugin.on_start = [this](ScriptedCall& job) {
    const fermata_buf input = {reinterpret_cast<uint8_t*>(job.input.data()), job.input.size(),
                               nullptr};
    const fermata_str echo = {"scripted/echo", 13};
    const fermata_str none = {"scripted/none", 13};
    EXPECT_EQ(plugin.host->call_stage(job.call, 1, none, &input, 0, 0), FERMATA_E_UNSUPPORTED);
    EXPECT_EQ(plugin.host->call_stage(job.call, 1, echo, &input, 0, 0), FERMATA_OK);
    return FERMATA_PENDING;
  };
  plugin.on_resume = [](ScriptedCall&, const fermata_event& event) { return event.status; };
  run([](PluginHost& host, CallRules& test) -> Co<absl::Status> {
    StageOutcome good = co_await call_stage(host, ScriptedPlugin::kStage, "\"hello\"");
    StageOutcome bad = co_await call_stage(host, ScriptedPlugin::kStage, "\"!\"");
    EXPECT_EQ(bad.status.code(), absl::StatusCode::kAborted);
    EXPECT_EQ(test.plugin.events,
              (Events{"STAGE 1 0 0 \"hello\"",
                      "STAGE 1 -4 0 scripted/echo returned E_TRANSIENT and gave no reason"}));
    co_return good.status;
  });
}

TEST_F(CallRules, CreditRunsOutAndComesBack) {
  plugin.on_start = [this](ScriptedCall& job) {
    const fermata_buf chunk = {reinterpret_cast<uint8_t*>(job.input.data()), job.input.size(),
                               nullptr};
    int sent = 0;
    while (plugin.host->emit(job.call, &chunk, 0) == FERMATA_OK) ++sent;
    EXPECT_EQ(sent, 16);
    EXPECT_EQ(plugin.host->emit(job.call, &chunk, 0), FERMATA_WOULD_BLOCK);
    EXPECT_EQ(plugin.host->await_credit(job.call, 1, 0), FERMATA_OK);
    return FERMATA_PENDING;
  };
  plugin.on_resume = [this](ScriptedCall& job, const fermata_event&) {
    const fermata_buf chunk = {reinterpret_cast<uint8_t*>(job.input.data()), job.input.size(),
                               nullptr};
    EXPECT_EQ(plugin.host->emit(job.call, &chunk, 0), FERMATA_OK);
    EXPECT_EQ(plugin.host->emit(job.call, &chunk, FERMATA_EMIT_FINAL), FERMATA_OK);
    EXPECT_EQ(plugin.host->emit(job.call, &chunk, FERMATA_EMIT_FINAL), FERMATA_E_INVALID);
    EXPECT_EQ(plugin.host->emit(job.call, &chunk, 0),
              FERMATA_E_INVALID);  // nothing after the final output
    return FERMATA_OK;
  };
  run([](PluginHost& host, CallRules& test) -> Co<absl::Status> {
    StageOutcome outcome = co_await call_stage(host, ScriptedPlugin::kStage, "1");
    absl::StatusOr<StageRef> stage = host.resolve(ScriptedPlugin::kStage);
    EXPECT_EQ((*stage)->counters().chunks, 17u);
    EXPECT_EQ(test.plugin.events, Events{"CREDIT 1 0 0"});
    co_return outcome.status;
  });
}

TEST_F(CallRules, TheFailuresDetailReachesTheOutcome) {
  plugin.on_start = [this](ScriptedCall& job) {
    fermata_failure failure{};
    failure.struct_size = sizeof failure;
    failure.code = 5;
    failure.message = {"no such page", 12};
    failure.retry_after_ns = 1'500'000'000;
    plugin.host->fail_detail(job.call, &failure);
    return FERMATA_E_TRANSIENT;
  };
  run([](PluginHost& host, CallRules& test) -> Co<absl::Status> {
    StageOutcome outcome = co_await call_stage(host, ScriptedPlugin::kStage, "null");
    EXPECT_EQ(outcome.status, absl::NotFoundError("no such page"));
    EXPECT_TRUE(outcome.retryable);  // the plugin's status decides, not the code shown
    EXPECT_EQ(outcome.retry_after, absl::Milliseconds(1500));
    co_return absl::OkStatus();
  });
}

TEST_F(CallRules, MetricsAreDefinedInCreateOnlyAndTheirSeriesAreCapped) {
  uint32_t id = 0;
  plugin.on_create = [this, &id] {
    const fermata_str label = {"url", 3};
    fermata_metric_def def{};
    def.struct_size = sizeof def;
    def.kind = FERMATA_METRIC_COUNTER;
    def.name = {"fetched_total", 13};
    def.help = {"h", 1};
    def.labels = &label;
    def.n_labels = 1;
    EXPECT_EQ(plugin.host->metric_define(plugin.instance, &def, &id), FERMATA_OK);
    EXPECT_EQ(plugin.host->metric_define(plugin.instance, &def, &id), FERMATA_E_INVALID);  // twice
    def.name = {"no good", 7};
    EXPECT_EQ(plugin.host->metric_define(plugin.instance, &def, &id), FERMATA_E_INVALID);
    return FERMATA_OK;
  };
  plugin.on_start = [this, &id](ScriptedCall& job) {
    fermata_metric_def def{};
    def.struct_size = sizeof def;
    EXPECT_EQ(plugin.host->metric_define(plugin.instance, &def, &id), FERMATA_E_CLOSED);
    for (int i = 0; i < 2000; ++i) {
      const std::string url = std::to_string(i);
      const fermata_str value = {url.data(), url.size()};
      EXPECT_EQ(plugin.host->metric_update(plugin.instance, 1, 1, &value, 1),
                i < 1000 ? FERMATA_OK : FERMATA_E_NOMEM);
    }
    const fermata_str one = {"1", 1};
    EXPECT_EQ(plugin.host->metric_update(plugin.instance, 1, -1, &one, 1), FERMATA_E_INVALID);
    EXPECT_EQ(plugin.host->metric_update(plugin.instance, 1, NAN, &one, 1), FERMATA_E_INVALID);
    EXPECT_EQ(plugin.host->metric_update(plugin.instance, 99, 1, &one, 1), FERMATA_E_INVALID);
    return FERMATA_OK;
  };
  run([](PluginHost& host, CallRules& test) -> Co<absl::Status> {
    StageOutcome outcome = co_await call_stage(host, ScriptedPlugin::kStage, "null");
    EXPECT_EQ(host.stage_views().at(0).metrics->dropped(), 1000u);
    co_return outcome.status;
  });
}

TEST_F(CallRules, LogsBeyondTheLimitAreCountedNotWritten) {
  plugin.on_start = [this](ScriptedCall& job) {
    const fermata_kv kv = {{"n", 1}, {"7", 1}};
    for (int i = 0; i < 500; ++i) {
      plugin.host->log(plugin.instance, job.call, FERMATA_LOG_INFO, {"again", 5}, &kv, 1);
    }
    return FERMATA_OK;
  };
  run([](PluginHost& host, CallRules& test) -> Co<absl::Status> {
    StageOutcome outcome = co_await call_stage(host, ScriptedPlugin::kStage, "null");
    absl::StatusOr<StageRef> stage = host.resolve(ScriptedPlugin::kStage);
    EXPECT_EQ(test.logs.size(), 100u);
    EXPECT_EQ(test.logs.front(), "again n=7");
    EXPECT_EQ((*stage)->counters().logs_dropped, 400u);
    co_return outcome.status;
  });
}

// The caller hears what became of it, whatever the stage itself returns.
TEST_F(CallRules, ASubStageThatSaidTooMuchHasFailedThoughItReturnsOk) {
  plugin.on_start = [this](ScriptedCall& job) {
    if (job.input == "1") {
      std::string chunk(size_t{16} << 20, 'x');
      const fermata_buf buf = {reinterpret_cast<uint8_t*>(chunk.data()), chunk.size(), nullptr};
      for (int i = 0; i < 5; ++i) (void)plugin.host->emit(job.call, &buf, 0);
      return FERMATA_OK;
    }
    std::string one = "1";
    const fermata_buf input = {reinterpret_cast<uint8_t*>(one.data()), 1, nullptr};
    EXPECT_EQ(
        plugin.host->call_stage(job.call, 3, fermata_str{ScriptedPlugin::kStage, 14}, &input, 0, 0),
        FERMATA_OK);
    return FERMATA_PENDING;
  };
  plugin.on_resume = [this](ScriptedCall& job, const fermata_event& event) {
    if (event.kind == FERMATA_EV_STAGE_CHUNK) return FERMATA_PENDING;
    return plugin.answer(job, std::to_string(event.status));
  };
  run([](PluginHost& host, CallRules& test) -> Co<absl::Status> {
    StageOutcome outcome = co_await call_stage(host, ScriptedPlugin::kStage, "null");
    EXPECT_EQ(outcome.output.view(), std::to_string(FERMATA_E_INVALID));
    co_return outcome.status;
  });
}

}  // namespace
}  // namespace fermata
