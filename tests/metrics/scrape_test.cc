#include "services/metrics/scrape.h"

#include <algorithm>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include "gtest/gtest.h"
#include "services/metrics/http_server.h"

namespace fermata {
namespace {

using prometheus::MetricFamily;

// Stands for a loop: runs what is posted at once, or when told to.
class FakeLoop {
 public:
  Scrape::Post poster(bool at_once) {
    return [this, at_once](absl::AnyInvocable<void()> call) {
      if (at_once) return call();
      const std::lock_guard<std::mutex> lock(mutex_);
      waiting_.push_back(std::move(call));
    };
  }
  size_t run_waiting() {
    std::deque<absl::AnyInvocable<void()>> now;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      now.swap(waiting_);
    }
    for (auto& call : now) call();
    return now.size();
  }

 private:
  std::mutex mutex_;
  std::deque<absl::AnyInvocable<void()>> waiting_;
};

double value_of(const std::vector<MetricFamily>& families, const std::string& name) {
  for (const MetricFamily& family : families) {
    if (family.name != name) continue;
    return family.type == prometheus::MetricType::Counter ? family.metric.at(0).counter.value
                                                          : family.metric.at(0).gauge.value;
  }
  return -1;
}

void add_seven(Families& families) { families.gauge("fermata_seven", "Seven.", {}, 7); }

TEST(Scrape, GivesWhatTheSourcesSay) {
  FakeLoop loop;
  const Scrape scrape(loop.poster(true), absl::Seconds(10), {add_seven});
  const auto families = scrape.Collect();
  EXPECT_EQ(value_of(families, "fermata_seven"), 7);
  EXPECT_EQ(value_of(families, "fermata_up"), 1);
}

TEST(Scrape, AStuckLoopGetsOneClosureAndTheScrapeComesBack) {
  FakeLoop loop;
  const Scrape scrape(loop.poster(false), absl::Milliseconds(1), {add_seven});
  for (int i = 1; i <= 3; ++i) {
    const auto families = scrape.Collect();
    EXPECT_EQ(value_of(families, "fermata_up"), 0);
    EXPECT_EQ(value_of(families, "fermata_scrape_timeouts_total"), i);
    EXPECT_EQ(value_of(families, "fermata_seven"), -1);
  }
  EXPECT_EQ(loop.run_waiting(), 1u);
}

TEST(Scrape, RecoversWhenTheLoopDoes) {
  FakeLoop loop;
  bool at_once = false;
  const Scrape scrape(
      [&](absl::AnyInvocable<void()> call) { loop.poster(at_once)(std::move(call)); },
      absl::Milliseconds(1), {add_seven});
  EXPECT_EQ(value_of(scrape.Collect(), "fermata_up"), 0);
  EXPECT_EQ(loop.run_waiting(), 1u);
  at_once = true;
  EXPECT_EQ(value_of(scrape.Collect(), "fermata_seven"), 7);
}

TEST(Scrape, MayOutliveTheLoop) {
  FakeLoop loop;
  Scrape scrape(loop.poster(true), absl::Seconds(10), {add_seven});
  scrape.stop();
  const auto families = scrape.Collect();
  EXPECT_EQ(value_of(families, "fermata_seven"), -1);
  EXPECT_EQ(value_of(families, "fermata_up"), 0);
}

TEST(Scrape, TheLoopMayOutliveIt) {
  FakeLoop loop;
  {
    EXPECT_EQ(Scrape(loop.poster(false), absl::Milliseconds(1), {add_seven}).Collect().size(), 2u);
  }
  EXPECT_EQ(loop.run_waiting(), 1u);
}

TEST(MetricsServer, TwoOnOnePortIsAnErrorThatNamesTheAddress) {
  FakeLoop loop;
  const auto scrape = std::make_shared<Scrape>(loop.poster(true), absl::Seconds(1),
                                               std::vector<Scrape::Source>{add_seven});
  const auto first = MetricsServer::start("127.0.0.1:0", scrape);
  ASSERT_TRUE(first.ok()) << first.status();
  const std::string taken = "127.0.0.1:" + std::to_string((*first)->port());
  const auto second = MetricsServer::start(taken, scrape);
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.status().message().find(taken), absl::string_view::npos) << second.status();
}

TEST(MetricsServer, NonsenseForAnAddressIsAnError) {
  EXPECT_FALSE(MetricsServer::start("nowhere at all", nullptr).ok());
}

}  // namespace
}  // namespace fermata
