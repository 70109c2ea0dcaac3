#include "services/metrics/counters.h"

#include <array>
#include <limits>
#include <numeric>

#include "gtest/gtest.h"

namespace fermata {
namespace {

constexpr std::array<int64_t, 3> kBounds = {10, 20, 30};

TEST(Counter, OnlyGoesUp) {
  Counter counter;
  counter.add();
  counter.add(4);
  EXPECT_EQ(counter.value(), 5u);
}

TEST(Gauge, GoesUpAndDownAndBelowZero) {
  Gauge gauge;
  gauge.add(2);
  gauge.sub(3);
  EXPECT_EQ(gauge.value(), -1);
  gauge.set(7);
  EXPECT_EQ(gauge.value(), 7);
}

TEST(Histogram, BoundsAreInclusiveAndTheLastBucketHasNone) {
  Histogram<3> histogram(kBounds);
  for (const int64_t value : {1, 10, 11, 20, 30, 31, 1000}) histogram.observe(value);
  EXPECT_EQ(histogram.counts(), (std::array<uint64_t, 4>{2, 2, 1, 2}));
  EXPECT_EQ(histogram.sum_ns(), 1103u);
  EXPECT_EQ(histogram.count(), 7u);
}

TEST(Histogram, ANegativeValueCountsAsZero) {
  Histogram<3> histogram(kBounds);
  histogram.observe(std::numeric_limits<int64_t>::min());
  EXPECT_EQ(histogram.counts()[0], 1u);
  EXPECT_EQ(histogram.sum_ns(), 0u);
}

template <size_t N>
void expect_ascending(const std::array<int64_t, N>& bounds) {
  for (size_t i = 1; i < N; ++i) EXPECT_LT(bounds[i - 1], bounds[i]) << i;
}

TEST(Histogram, SharedBucketsAscend) {
  expect_ascending(kJobBucketsNs);
  expect_ascending(kLoopBucketsNs);
}

}  // namespace
}  // namespace fermata
