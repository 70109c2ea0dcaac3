#include "plugins/http/retry_after.h"

#include <gtest/gtest.h>

namespace fermata::http {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(784111777);  // Sun, 06 Nov 1994 08:49:37 GMT

TEST(RetryAfter, Seconds) {
  EXPECT_EQ(parse_retry_after("120", kNow), absl::Seconds(120));
  EXPECT_EQ(parse_retry_after(" 0 ", kNow), absl::ZeroDuration());
}

TEST(RetryAfter, AllThreeDateForms) {
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:50:37 GMT", kNow), absl::Minutes(1));
  EXPECT_EQ(parse_retry_after("Sunday, 06-Nov-94 08:50:37 GMT", kNow), absl::Minutes(1));
  EXPECT_EQ(parse_retry_after("Sun Nov  6 08:50:37 1994", kNow), absl::Minutes(1));
}

TEST(RetryAfter, ThePastIsNow) {
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:00:00 GMT", kNow), absl::ZeroDuration());
}

TEST(RetryAfter, NeverMeansADay) {
  EXPECT_EQ(parse_retry_after("999999999", kNow), kRetryAfterMax);
  EXPECT_EQ(parse_retry_after("99999999999999999999999", kNow), kRetryAfterMax);
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 2094 08:50:37 GMT", kNow), kRetryAfterMax);
}

TEST(RetryAfter, NonsenseIsNothing) {
  for (const char* text : {"", " ", "-1", "1.5", "soon", "1h", "Sun, 99 Foo 1994 00:00:00 GMT",
                           "0x10", "Sun, Sun, Sun, Sun, Sun, Sun"}) {
    EXPECT_EQ(parse_retry_after(text, kNow), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace fermata::http
