// Plugins that were compiled when ABI 1.0 was frozen, run by today's server: the same bytes, the
// same answers.
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/config/sha256.h"
#include "services/stages/static_checks.h"
#include "tests/stages/testing/host_fixture.h"

namespace fermata {
namespace {

constexpr char kFolder[] = "tests/abi/frozen/";
constexpr uint16_t kBuiltFor = 62;  // x86_64

class Chunks final : public StageObserver {
 public:
  void chunk(const Buffer& bytes) override { chunks.emplace_back(bytes.view()); }
  std::vector<std::string> chunks;
};

class Frozen : public HostFixture, public testing::WithParamInterface<std::string> {
 public:
  Frozen() {
    put_plugin("a.so", kFolder + ("conformance_" + GetParam()) + ".so");
    current = this;
  }
  std::string use(const char* stage) const { return "frozen_" + GetParam() + "/" + stage; }
  // A machine of another kind names the kind; there the old files cannot be run.
  void run_or_refuse(Body body) {
    run(HostFacts::here().machine == kBuiltFor ? body : nullptr);
    if (HostFacts::here().machine == kBuiltFor) return;
    ASSERT_EQ(report.refusals.size(), 1u);
    EXPECT_EQ(report.refusals.front().substr(0, 8), "PLG-102 ");
  }
  static inline Frozen* current = nullptr;
};

Co<absl::Status> every_slot(PluginHost& host, HostFixture& test) {
  absl::StatusOr<StageRef> stage = host.resolve(Frozen::current->use("every"));
  if (!stage.ok()) co_return stage.status();
  Chunks chunks;
  StageRequest request;
  request.job_id = "job-1";
  request.input = R"({"a":1})";
  request.observer = &chunks;
  const size_t logged_before = test.logs.size();  // the audit of its loading
  const StageOutcome out = co_await host.call(*std::move(stage), std::move(request));
  EXPECT_EQ(out.output.view(), R"("timer blocking fd stage credit wake waker")") << out.status;
  EXPECT_EQ(chunks.chunks, std::vector<std::string>({R"({"a":1})"}));
  EXPECT_EQ(out.version.substr(0, 5), "1.0.0");
  EXPECT_EQ(test.logs.size() - logged_before, 1u);
  co_return out.status;
}
TEST_P(Frozen, EverySlotOfTheAbiDoesWhatItDid) { run_or_refuse(every_slot); }

Co<absl::Status> failure(PluginHost& host, HostFixture&) {
  const StageOutcome out = co_await call_stage(host, Frozen::current->use("fail"), "{}");
  EXPECT_EQ(out.status, absl::UnavailableError("the well is dry"));
  EXPECT_TRUE(out.retryable);
  EXPECT_EQ(out.retry_after, absl::Seconds(3));
  co_return absl::OkStatus();
}
TEST_P(Frozen, AnErrorCarriesItsReasonItsCodeAndWhenToTryAgain) { run_or_refuse(failure); }

Co<absl::Status> cancelled(PluginHost& host, HostFixture&) {
  absl::StatusOr<StageOutcome> out =
      co_await timeout(absl::Milliseconds(1), call_stage(host, Frozen::current->use("wait"), "{}"));
  EXPECT_EQ(out.status().code(), absl::StatusCode::kDeadlineExceeded);
  co_return absl::OkStatus();
}
TEST_P(Frozen, CancellationReachesIt) { run_or_refuse(cancelled); }

TEST_P(Frozen, ItsBytesAreTheOnesThatWereCheckedIn) {
  const std::string file = "conformance_" + GetParam() + ".so";
  const std::string line = sha256_hex(read_runfile(kFolder + file)) + "  " + file + "\n";
  EXPECT_NE(read_runfile(std::string(kFolder) + "SHA256SUMS").find(line), std::string::npos)
      << line;
}

INSTANTIATE_TEST_SUITE_P(Languages, Frozen, testing::Values("c", "cpp"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace fermata
