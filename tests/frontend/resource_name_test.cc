#include "services/frontend/resource_name.h"

#include "gtest/gtest.h"
#include "services/engine/errors.h"

namespace fermata::frontend {
namespace {

TEST(ResourceName, AJobMayBeNamedWithOrWithoutItsCollection) {
  EXPECT_EQ(job_id_of("jobs/0192-ab").value(), "0192-ab");
  EXPECT_EQ(job_id_of("0192-ab").value(), "0192-ab");
}

TEST(ResourceName, WhatIsNoJobNameIsAViolationOfTheField) {
  for (const std::string& name :
       {std::string(), std::string("jobs/"), std::string("jobs/a/b"), std::string("pipelines/a"),
        std::string("a b"), std::string("a\0b", 3), std::string(65, 'a'), std::string("\xff")}) {
    const absl::StatusOr<std::string> id = job_id_of(name);
    ASSERT_FALSE(id.ok()) << name;
    EXPECT_EQ(detail_of(id.status()).value().fields.at(0).field, "name");
  }
}

TEST(ResourceName, PipelineNamesMayHoldAnyText) {
  EXPECT_EQ(pipeline_id_of("pipelines/größe 1").value(), "größe 1");
  EXPECT_EQ(pipeline_id_of("scrape").value(), "scrape");
  EXPECT_FALSE(pipeline_id_of("").ok());
  EXPECT_FALSE(pipeline_id_of("jobs/a").ok());
  EXPECT_FALSE(pipeline_id_of("a\nb").ok());
  EXPECT_FALSE(pipeline_id_of(std::string(129, 'a')).ok());
}

}  // namespace
}  // namespace fermata::frontend
