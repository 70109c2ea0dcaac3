#include "services/frontend/job_request.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/engine/errors.h"

namespace fermata::frontend {
namespace {

v1::Job good_job() {
  v1::Job job;
  job.set_pipeline("scrape");
  job.set_input("{}");
  return job;
}

absl::StatusOr<SubmitRequest> read(v1::Job job, std::string request_id = "") {
  RpcLimits limits;
  limits.payload = 1000;
  return to_submit_request(job, request_id, limits);
}

// The fields complained about, in order.
std::vector<std::string> bad_fields(const v1::Job& job, const std::string& request_id = "") {
  const absl::StatusOr<SubmitRequest> got = read(job, request_id);
  EXPECT_TRUE(absl::IsInvalidArgument(got.status())) << got.status();
  std::vector<std::string> out;
  for (const FieldViolation& violation : detail_of(got.status()).value_or(ErrorDetail()).fields) {
    EXPECT_FALSE(violation.description.empty());
    out.push_back(violation.field);
  }
  return out;
}

using Fields = std::vector<std::string>;

TEST(JobRequest, TakesEverythingOver) {
  v1::Job job = good_job();
  (*job.mutable_labels())["tenant"] = "acme";
  job.set_queue("fast");
  job.set_priority(-7);
  job.mutable_timeout()->set_nanos(5);
  const absl::StatusOr<SubmitRequest> got = read(job, "id-1");
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->pipeline, "scrape");
  EXPECT_EQ(got->input, "{}");
  EXPECT_EQ(got->labels, (Labels{{"tenant", "acme"}}));
  EXPECT_EQ(got->queue, "fast");
  EXPECT_EQ(got->priority, -7);
  EXPECT_EQ(got->timeout, absl::Nanoseconds(5));
  EXPECT_EQ(got->request_id, "id-1");
}

TEST(JobRequest, WithoutATimeoutThereIsNone) {
  EXPECT_EQ(read(good_job())->timeout, absl::InfiniteDuration());
}

TEST(JobRequest, APipelineMayBeNamedAsAResource) {
  v1::Job job;
  job.set_pipeline("pipelines/scrape");
  EXPECT_EQ(read(job)->pipeline, "scrape");
}

TEST(JobRequest, WorkIsRequired) {
  EXPECT_EQ(bad_fields(v1::Job()), Fields{"job"});
  v1::Job job;
  job.set_pipeline("");
  EXPECT_EQ(bad_fields(job), Fields{"job.pipeline"});
  job.set_pipeline("a/b");
  EXPECT_EQ(bad_fields(job), Fields{"job.pipeline"});
  job.set_pipeline(std::string(100000, 'x'));
  EXPECT_EQ(bad_fields(job), Fields{"job.pipeline"});
  job.set_stage("");
  EXPECT_EQ(bad_fields(job), Fields{"job.stage"});
  job.set_pipeline_yaml("");
  EXPECT_EQ(bad_fields(job), Fields{"job.pipeline_yaml"});
}

TEST(JobRequest, AllThatIsWrongIsSaidAtOnce) {
  v1::Job job;
  (*job.mutable_labels())["Tenant"] = "x";
  job.set_queue("Fast Lane");
  job.set_priority(1001);
  job.mutable_timeout()->set_seconds(-1);
  EXPECT_EQ(
      bad_fields(job, std::string(129, 'x')),
      (Fields{"job", "job.labels", "job.queue", "job.priority", "job.timeout", "request_id"}));
}

TEST(JobRequest, LabelsAreBounded) {
  v1::Job job = good_job();
  for (int i = 0; i < 65; ++i) (*job.mutable_labels())["k" + std::to_string(i)] = "v";
  EXPECT_EQ(bad_fields(job), Fields{"job.labels"});
  for (const char* key : {"", "1a", "a.b", "ä", "-a"}) {
    v1::Job other = good_job();
    (*other.mutable_labels())[key] = "v";
    EXPECT_EQ(bad_fields(other), Fields{"job.labels"}) << key;
  }
  v1::Job other = good_job();
  (*other.mutable_labels())["a"] = std::string(256, 'v');
  EXPECT_EQ(bad_fields(other), Fields{"job.labels.a"});
  (*other.mutable_labels())["a"] = std::string(255, 'v');
  EXPECT_TRUE(read(other).ok());
}

TEST(JobRequest, DurationsAreChecked) {
  const auto with = [](int64_t seconds, int32_t nanos) {
    v1::Job job = good_job();
    job.mutable_timeout()->set_seconds(seconds);
    job.mutable_timeout()->set_nanos(nanos);
    return job;
  };
  EXPECT_EQ(bad_fields(with(0, 0)), Fields{"job.timeout"});
  EXPECT_EQ(bad_fields(with(1, -1)), Fields{"job.timeout"});
  EXPECT_EQ(bad_fields(with(0, 1'000'000'000)), Fields{"job.timeout"});
  EXPECT_EQ(bad_fields(with(INT64_MAX, 0)), Fields{"job.timeout"});
  EXPECT_EQ(bad_fields(with(INT64_MIN, 0)), Fields{"job.timeout"});
  EXPECT_TRUE(read(with(315'576'000'000, 999'999'999)).ok());
}

TEST(JobRequest, APayloadAboveTheLimitIsRefusedWithBothNumbers) {
  v1::Job job = good_job();
  job.set_input(std::string(1001, ' '));
  const absl::StatusOr<SubmitRequest> got = read(job);
  const ErrorDetail detail = detail_of(got.status()).value();
  EXPECT_EQ(detail.reason, "PAYLOAD_TOO_LARGE");
  EXPECT_EQ(detail.metadata.at("bytes"), "1001");
  EXPECT_EQ(detail.metadata.at("limit"), "1000");
}

}  // namespace
}  // namespace fermata::frontend
