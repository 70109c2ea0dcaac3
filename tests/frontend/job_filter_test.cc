#include "services/frontend/job_filter.h"

#include <string>

#include "gtest/gtest.h"

namespace fermata::frontend {
namespace {

JobFilter good(std::string_view text) {
  const absl::StatusOr<JobFilter> filter = parse_job_filter(text);
  EXPECT_TRUE(filter.ok()) << text << ": " << filter.status();
  return filter.value_or(JobFilter());
}

std::string bad(std::string_view text) {
  const absl::StatusOr<JobFilter> filter = parse_job_filter(text);
  EXPECT_FALSE(filter.ok()) << text;
  return std::string(filter.status().message());
}

TEST(JobFilter, NothingMatchesEverything) {
  for (const char* text : {"", " ", "\t\n"}) {
    const JobFilter filter = good(text);
    EXPECT_TRUE(filter.states.empty());
    EXPECT_FALSE(filter.pipeline.has_value());
    EXPECT_TRUE(filter.labels.empty());
  }
}

TEST(JobFilter, ConditionsAreJoinedByAnd) {
  const JobFilter filter = good(
      R"(state=FAILED AND pipeline = scrape AND stage = http/get@1.0.0 AND queue=q-1 AND labels.tenant = "acme \"corp\"")");
  EXPECT_EQ(filter.states, std::vector<JobState>{JobState::kFailed});
  EXPECT_EQ(filter.pipeline, "scrape");
  EXPECT_EQ(filter.stage, "http/get@1.0.0");
  EXPECT_EQ(filter.queue, "q-1");
  EXPECT_EQ(filter.labels, (Labels{{"tenant", "acme \"corp\""}}));
}

TEST(JobFilter, OrJoinsStatesAndBindsTighterThanAnd) {
  const std::vector<JobState> both = {JobState::kRunning, JobState::kPending};
  EXPECT_EQ(good("state = RUNNING OR state = PENDING AND queue = a").states, both);
  EXPECT_EQ(good("queue = a AND (state = RUNNING OR state = PENDING)").states, both);
}

TEST(JobFilter, AMisspeltStateIsNamedWithTheNearestOne) {
  const std::string why = bad("state = RUNING");
  EXPECT_NE(why.find("RUNING"), std::string::npos) << why;
  EXPECT_NE(why.find("did you mean 'RUNNING'"), std::string::npos) << why;
  bad("state = STATE_UNSPECIFIED");
  bad("state = running");
}

TEST(JobFilter, WhatIsNotSupportedIsRefusedNotIgnored) {
  for (const char* text :
       {"NOT state = FAILED", "-state = FAILED", "state != FAILED", "labels.a:*", "priority > 3",
        "state = FAILED OR queue = a", "queue = a OR state = FAILED", "queue = a queue = b",
        "state = FAILED AND state = RUNNING", "queue = a AND queue = b",
        "labels.a = 1 AND labels.a = 2", "labels. = a", "labels = a", "f(x)", "scrape"}) {
    bad(text);
  }
}

TEST(JobFilter, EveryCutOffFilterIsAnErrorOrAShorterFilter) {
  const std::string whole =
      R"((state = RUNNING OR state = "PENDING") AND labels.a = "b\"c" AND queue = d)";
  good(whole);
  int refused = 0;
  for (size_t n = 1; n < whole.size(); ++n) {
    refused += parse_job_filter(whole.substr(0, n)).ok() ? 0 : 1;
  }
  EXPECT_GT(refused, 40);
}

TEST(JobFilter, ErrorsNameTheCharacter) {
  EXPECT_EQ(bad("queue ~ a").find("at character 7:"), 0u);
  EXPECT_EQ(bad("colour = red").find("at character 1: unknown field 'colour'"), 0u);
  EXPECT_EQ(bad("queue = \"a").find("at character 9:"), 0u);
}

TEST(JobFilter, ErrorsAreTextWhateverTheFilterIs) {
  EXPECT_NE(bad("state \xc3\xa9 x").find("got '\xc3\xa9'"), std::string::npos);
  EXPECT_EQ(bad("queue = \"\xff\"").find("at character 10: expected UTF-8"), 0u);
}

TEST(JobFilter, LengthIsBounded) {
  EXPECT_FALSE(parse_job_filter(std::string(kMaxFilterBytes + 1, ' ')).ok());
  EXPECT_TRUE(parse_job_filter(std::string(kMaxFilterBytes, ' ')).ok());
}

}  // namespace
}  // namespace fermata::frontend
