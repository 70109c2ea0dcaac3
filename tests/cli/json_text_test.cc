#include "services/cli/json_text.h"

#include "fermata/v1/jobs.pb.h"
#include "fermata/v1/plugins.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/config/json.h"

namespace fermata::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(JobJson, IsJsonWithThePayloadsInIt) {
  v1::Job job;
  job.set_name("jobs/1");
  job.set_stage("http/get");
  job.set_state(v1::Job::SUCCEEDED);
  (*job.mutable_labels())["note"] = "a \"quote\"";
  job.mutable_create_time()->set_seconds(1'700'000'000);
  job.mutable_create_time()->set_nanos(120'000'000);
  job.set_result("{\"n\":12345678901234567890.10}");
  job.add_stages()->set_name("get");
  const std::string json = job_json(job);
  ASSERT_TRUE(parse_json(json).ok()) << json;
  EXPECT_THAT(json, HasSubstr(R"("create_time":"2023-11-14T22:13:20.120Z")"));
  EXPECT_THAT(json, HasSubstr(R"("result":{"n":12345678901234567890.10})"));
  EXPECT_THAT(json, Not(HasSubstr("end_time")));
}

TEST(EventJson, CarriesTheStage) {
  v1::JobEvent event;
  event.set_sequence(7);
  event.set_kind(v1::JobEvent::STAGE);
  event.set_state(v1::Job::RUNNING);
  event.mutable_stage()->set_name("fetch");
  event.mutable_stage()->set_state(v1::StageProgress::RUNNING);
  EXPECT_EQ(event_json(event),
            R"({"sequence":7,"kind":"STAGE","state":"RUNNING","stage":{"name":"fetch",)"
            R"("state":"RUNNING","total":0,"done":0,"failed":0,"retries":0}})");
}

TEST(PluginJson, PastesSchemas) {
  v1::Plugin plugin;
  plugin.set_name("plugins/http");
  plugin.set_state(v1::Plugin::LOADED);
  plugin.add_stages()->set_input_schema("{\"type\":\"object\"}");
  const std::string json = plugin_json(plugin);
  EXPECT_TRUE(parse_json(json).ok()) << json;
  EXPECT_THAT(json, HasSubstr(R"("input_schema":{"type":"object"})"));
}

TEST(IndentJson, BreaksLinesAndLeavesEveryTokenAsItWas) {
  EXPECT_EQ(indent_json(R"({"a":[1.0,{"b":"x, {y}: \"z\""}],"c":{},"d":[]})"),
            "{\n"
            "  \"a\": [\n"
            "    1.0,\n"
            "    {\n"
            "      \"b\": \"x, {y}: \\\"z\\\"\"\n"
            "    }\n"
            "  ],\n"
            "  \"c\": {},\n"
            "  \"d\": []\n"
            "}");
  EXPECT_EQ(indent_json("null"), "null");
}

TEST(IndentJson, TakesAnyText) {
  EXPECT_EQ(indent_json("]}\"unfinished\\"), "\n]\n}\"unfinished\\");
}

}  // namespace
}  // namespace fermata::cli
