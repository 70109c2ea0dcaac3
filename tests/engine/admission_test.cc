#include "services/engine/admission.h"

#include "gtest/gtest.h"
#include "services/engine/errors.h"

namespace fermata {
namespace {

std::string reason_of(const absl::Status& status) {
  const std::optional<ErrorDetail> detail = detail_of(status);
  return detail.has_value() ? detail->reason : "";
}

TEST(Admission, RefusesTheJobThatIsOneTooManyAndTakesItOnceOneHasLeft) {
  EngineLimits limits;
  limits.jobs = 2;
  Admission admission(limits);
  ASSERT_TRUE(admission.admit(1).ok());
  ASSERT_TRUE(admission.admit(1).ok());
  const absl::Status refused = admission.admit(1);
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(reason_of(refused), "TOO_MANY_JOBS");
  EXPECT_EQ(detail_of(refused)->retry_delay, limits.retry_delay);
  EXPECT_EQ(detail_of(refused)->quotas.at(0).subject, "limits.jobs");
  admission.release(1);
  EXPECT_TRUE(admission.admit(1).ok());
}

TEST(Admission, CountsBytesAndTakesNothingOnRefusal) {
  EngineLimits limits;
  limits.bytes = 100;
  Admission admission(limits);
  ASSERT_TRUE(admission.admit(60).ok());
  EXPECT_EQ(reason_of(admission.admit(41)), "TOO_MANY_BYTES");
  EXPECT_EQ(admission.bytes(), 60u);
  EXPECT_TRUE(admission.grow(40));
  EXPECT_FALSE(admission.grow(1));
  EXPECT_FALSE(admission.grow(static_cast<size_t>(-1)));
  admission.release(100);
  EXPECT_EQ(admission.bytes(), 0u);
  EXPECT_EQ(admission.jobs(), 0u);
}

TEST(AdmissionDeathTest, GivingBackMoreThanWasTakenAborts) {
  const EngineLimits limits;
  Admission admission(limits);
  EXPECT_DEATH(admission.release(0), "never let in");
}

}  // namespace
}  // namespace fermata
