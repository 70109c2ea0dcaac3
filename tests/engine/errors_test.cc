#include "services/engine/errors.h"

#include "gtest/gtest.h"

namespace fermata {
namespace {

TEST(Errors, EveryPartOfADetailComesBack) {
  ErrorDetail detail;
  detail.reason = "A_REASON";
  detail.metadata = {{"a", "1"}, {"empty", ""}, {"colon", "3:x"}};
  detail.retry_delay = absl::Milliseconds(1500);
  detail.resource = ResourceName{"job", "jobs/1"};
  detail.fields = {{"job.input", "bad: 2:xy"}, {"b", ""}};
  detail.quotas = {{"limits.jobs", "full"}};
  detail.preconditions = {{"T", "S", "D"}};
  const absl::Status status = with_detail(absl::UnavailableError("no"), detail);
  const std::optional<ErrorDetail> back = detail_of(status);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->reason, "A_REASON");
  EXPECT_EQ(back->metadata, detail.metadata);
  EXPECT_EQ(back->retry_delay, detail.retry_delay);
  ASSERT_TRUE(back->resource.has_value());
  EXPECT_EQ(back->resource->name, "jobs/1");
  ASSERT_EQ(back->fields.size(), 2u);
  EXPECT_EQ(back->fields[0].description, "bad: 2:xy");
  ASSERT_EQ(back->quotas.size(), 1u);
  EXPECT_EQ(back->quotas[0].subject, "limits.jobs");
  ASSERT_EQ(back->preconditions.size(), 1u);
  EXPECT_EQ(back->preconditions[0].description, "D");
}

TEST(Errors, AnOrdinaryStatusHasNoDetail) {
  EXPECT_FALSE(detail_of(absl::InternalError("x")).has_value());
  EXPECT_FALSE(detail_of(absl::OkStatus()).has_value());
}

TEST(Errors, ADelayOrAResourceThatIsNotThereStaysAbsent) {
  const std::optional<ErrorDetail> detail = detail_of(invalid_field("job.queue", "bad"));
  ASSERT_TRUE(detail.has_value());
  EXPECT_FALSE(detail->retry_delay.has_value());
  EXPECT_FALSE(detail->resource.has_value());
}

TEST(Errors, EveryValueOfAMessageIsInTheMetadata) {
  const absl::Status status =
      limit_reached("TOO_MANY_JOBS", "limits.jobs", 10, 9, absl::Seconds(1));
  const auto metadata = detail_of(status)->metadata;
  EXPECT_EQ(metadata.at("limit"), "limits.jobs");
  EXPECT_EQ(metadata.at("max"), "10");
  EXPECT_EQ(metadata.at("in_use"), "9");
}

}  // namespace
}  // namespace fermata
