#include "services/cli/job_request.h"

#include "fermata/v1/jobs.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fermata::cli {
namespace {

using testing::HasSubstr;

absl::StatusOr<std::string> read(const std::string& path) {
  if (path == "-") return "{\"from\":\"stdin\"}";
  if (path == "./p.yaml") return "pipeline: p\n";
  if (path == "in.json") return "[1,2]";
  return absl::NotFoundError("cannot open " + path);
}

WorkOptions work(const std::string& name, const std::string& input = "") {
  WorkOptions options;
  options.work = name;
  options.input = input;
  return options;
}

std::string made_input(const WorkOptions& options) {
  v1::Job job;
  const absl::Status status = make_job(options, read, &job);
  EXPECT_TRUE(status.ok()) << status;
  return job.input();
}

std::string refusal(const WorkOptions& options) {
  v1::Job job;
  return std::string(make_job(options, read, &job).message());
}

TEST(WorkKind, IsToldByItsForm) {
  EXPECT_EQ(work_kind("scrape"), WorkKind::kPipeline);
  EXPECT_EQ(work_kind("pipelines/scrape"), WorkKind::kPipeline);
  EXPECT_EQ(work_kind("http/get"), WorkKind::kStage);
  EXPECT_EQ(work_kind("http/get@1.0.0"), WorkKind::kStage);
  EXPECT_EQ(work_kind("scrape.yaml"), WorkKind::kPipelineFile);
  EXPECT_EQ(work_kind("a/b.yml"), WorkKind::kPipelineFile);
  EXPECT_EQ(work_kind("./scrape"), WorkKind::kPipelineFile);
}

TEST(MakeJob, SendsAPipelineFileInline) {
  v1::Job job;
  ASSERT_TRUE(make_job(work("./p.yaml"), read, &job).ok());
  EXPECT_EQ(job.pipeline_yaml(), "pipeline: p\n");
  EXPECT_THAT(refusal(work("./missing.yaml")), HasSubstr("cannot open ./missing.yaml"));
}

TEST(MakeJob, TakesInputFromTextFileOrStdinAsItIs) {
  EXPECT_EQ(made_input(work("p")), "");
  EXPECT_EQ(made_input(work("p", "{\"n\": 1.0}")), "{\"n\": 1.0}");
  EXPECT_EQ(made_input(work("p", "@in.json")), "[1,2]");
  // As deep as the server takes it.
  const std::string deep = std::string(200, '[') + std::string(200, ']');
  EXPECT_EQ(made_input(work("p", deep)), deep);
  EXPECT_EQ(made_input(work("p", "-")), "{\"from\":\"stdin\"}");
}

TEST(MakeJob, SetsMembersAsJsonOrElseAsText) {
  WorkOptions options = work("p", "{\"a\":1,\"b\":2}");
  options.set = {"a=[3]", "url=http://x/?q=1", "t=true", "s=\"7\""};
  EXPECT_EQ(made_input(options), R"({"b":2,"a":[3],"url":"http://x/?q=1","t":true,"s":"7"})");
  options.input = "[1]";
  EXPECT_THAT(refusal(options), HasSubstr("of type array"));
}

TEST(MakeJob, RefusesInputThatIsNotJsonAndSaysWhere) {
  EXPECT_THAT(refusal(work("p", "{\"a\":}")), HasSubstr("--input: line 1, column 6"));
  EXPECT_THAT(refusal(work("p", "@missing")), HasSubstr("--input: cannot open missing"));
}

TEST(MakeJob, CarriesLabelsQueuePriorityAndTimeout) {
  WorkOptions options = work("http/get");
  options.labels = {"tenant=a=b", "empty="};
  options.queue = "fast";
  options.priority = 3;
  options.timeout = absl::Milliseconds(1500);
  v1::Job job;
  ASSERT_TRUE(make_job(options, read, &job).ok());
  EXPECT_EQ(job.stage(), "http/get");
  EXPECT_EQ(job.labels().at("tenant"), "a=b");
  EXPECT_EQ(job.labels().at("empty"), "");
  EXPECT_EQ(job.queue(), "fast");
  EXPECT_EQ(job.priority(), 3);
  EXPECT_EQ(job.timeout().seconds(), 1);
  EXPECT_EQ(job.timeout().nanos(), 500'000'000);
}

}  // namespace
}  // namespace fermata::cli
