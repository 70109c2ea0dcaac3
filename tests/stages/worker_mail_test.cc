// What blocking code says: one note in the post at a time, however many workers a call has.
#include "services/stages/worker_mail.h"

#include <atomic>
#include <functional>
#include <string>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "services/stages/plugin_host.h"
#include "tests/stages/testing/call_rules.h"

namespace fermata {
namespace {

using Taker = WorkerMail::Taker;

TEST(WorkerMail, OnlyTheNotesOwnRunEndsItsStayInThePost) {
  WorkerMail mail;
  EXPECT_TRUE(mail.progress(0.1, "a")) << "the first word is announced";
  EXPECT_FALSE(mail.log(FERMATA_LOG_INFO, "b"));
  EXPECT_EQ(mail.take(Taker::kWorkerReturned).logs.size(), 1u);
  EXPECT_FALSE(mail.progress(0.2, "c")) << "the note is still in the post";
  EXPECT_EQ(mail.take(Taker::kNote).fraction, 0.2);
  EXPECT_TRUE(mail.progress(0.3, "d"));
}

// Each worker's return is between two notes of the other: a note that is posted while it is in the
// post tears the loop's list apart.
constexpr int kWorkers = 4;
constexpr uint64_t kReturns = 2000;

Co<absl::Status> call_on(Loop* loop, ScriptedPlugin* plugin) {
  StagesOptions options;
  PluginHost host(*loop, options);
  absl::Status status = co_await host.add_plugin("scripted.so", plugin->descriptor());
  if (!status.ok()) co_return status;
  StageOutcome outcome = co_await call_stage(host, ScriptedPlugin::kStage, "null");
  co_await host.close();
  co_return outcome.status;
}

TEST(WorkerMail, ManyWorkersOfOneCallSpeakAtOnce) {
  ScriptedPlugin plugin;
  std::atomic<fermata_call*> speaker{nullptr};
  int running = 0;
  plugin.on_start = [&](ScriptedCall& job) {
    speaker = job.call;
    for (; running < kWorkers; ++running) {
      EXPECT_EQ(plugin.host->offload(job.call, static_cast<uint64_t>(running), 0, 0), FERMATA_OK);
    }
    return FERMATA_PENDING;
  };
  plugin.on_blocking = [&](uint64_t) {
    for (int i = 0; i < 20; ++i) plugin.host->progress(speaker, 0.5, fermata_str{"", 0});
    return FERMATA_OK;
  };
  plugin.on_resume = [&](ScriptedCall& job, const fermata_event& event) {
    --running;
    if (++job.step <= kReturns) {
      EXPECT_EQ(plugin.host->offload(job.call, event.token, 0, 0), FERMATA_OK);
      ++running;
    }
    return running > 0 ? FERMATA_PENDING : FERMATA_OK;
  };
  EpollLoop loop;
  Loop* base = &loop;
  const absl::Status status = loop.run(call_on, base, &plugin);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(running, 0);
}

}  // namespace
}  // namespace fermata
