#include "services/metrics/families.h"

#include <cmath>

#include "gtest/gtest.h"
#include "prometheus/text_serializer.h"

namespace fermata {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily family(const std::string& name, MetricType type, const std::string& help = "Help.") {
  MetricFamily out;
  out.name = name;
  out.help = help;
  out.type = type;
  return out;
}

TEST(Families, SamplesOfOneNameEndInOneFamilySortedByName) {
  Families families;
  families.gauge("fermata_z", "Last.", {}, 1);
  families.counter("fermata_a_total", "First.", {{"queue", "x"}}, 2);
  families.counter("fermata_a_total", "First.", {{"queue", "y"}}, 3);
  const auto out = families.take();
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(out[0].name, "fermata_a_total");
  ASSERT_EQ(out[0].metric.size(), 2u);
  EXPECT_EQ(out[0].metric[1].label[0].value, "y");
  EXPECT_EQ(out[0].metric[1].counter.value, 3);
  EXPECT_EQ(out[1].type, MetricType::Gauge);
  EXPECT_TRUE(families.take().empty());
}

TEST(Families, AHistogramIsCumulativeInSecondsAndEndsAtInfinity) {
  JobHistogram histogram;
  histogram.observe(1'500'000);          // 1.5 ms: second bucket
  histogram.observe(7'200'000'000'000);  // 2 h: above them all
  Families families;
  families.histogram("fermata_x_seconds", "Help.", {}, histogram);
  const auto out = families.take();
  const auto& got = out.at(0).metric.at(0).histogram;
  ASSERT_EQ(got.bucket.size(), kJobBucketsNs.size() + 1);
  EXPECT_EQ(got.bucket[0].cumulative_count, 0u);
  EXPECT_DOUBLE_EQ(got.bucket[1].upper_bound, 0.0025);
  EXPECT_EQ(got.bucket[1].cumulative_count, 1u);
  EXPECT_EQ(got.bucket[16].cumulative_count, 1u);
  EXPECT_TRUE(std::isinf(got.bucket[17].upper_bound));
  EXPECT_EQ(got.bucket[17].cumulative_count, 2u);
  EXPECT_EQ(got.sample_count, 2u);
  EXPECT_NEAR(got.sample_sum, 7200.0015, 1e-9);
}

TEST(Families, LabelValuesAreEscapedInTheText) {
  Families families;
  families.gauge("fermata_x", "Help.", {{"name", "a\"b\\c\nd"}}, 1);
  const std::string text = prometheus::TextSerializer().Serialize(families.take());
  EXPECT_NE(text.find(R"(fermata_x{name="a\"b\\c\nd"} 1)"), std::string::npos) << text;
}

TEST(Naming, GoodNamesPass) {
  EXPECT_EQ(naming_problem(family("fermata_jobs", MetricType::Gauge)), "");
  EXPECT_EQ(naming_problem(family("fermata_jobs_submitted_total", MetricType::Counter)), "");
  EXPECT_EQ(naming_problem(family("fermata_job_wait_seconds", MetricType::Histogram)), "");
  EXPECT_EQ(naming_problem(family("fermata_build_info", MetricType::Gauge)), "");
}

TEST(Naming, EachRuleIsChecked) {
  EXPECT_NE(naming_problem(family("jobs", MetricType::Gauge)), "");
  EXPECT_NE(naming_problem(family("fermata_Jobs", MetricType::Gauge)), "");
  EXPECT_NE(naming_problem(family("fermata_jobs", MetricType::Gauge, "")), "");
  EXPECT_NE(naming_problem(family("fermata_jobs", MetricType::Counter)), "");
  EXPECT_NE(naming_problem(family("fermata_jobs_total", MetricType::Gauge)), "");
  EXPECT_NE(naming_problem(family("fermata_wait", MetricType::Histogram)), "");
  EXPECT_NE(naming_problem(family("fermata_wait_ms", MetricType::Gauge)), "");
  EXPECT_NE(naming_problem(family("fermata_busy_us_total", MetricType::Counter)), "");
}

}  // namespace
}  // namespace fermata
