// Globs, and what a grant allows.
#include "services/frontend/permission.h"

#include "gtest/gtest.h"

namespace fermata::frontend {
namespace {

Grant grant(std::vector<Permission> allow, std::vector<std::string> queues,
            std::vector<std::string> pipelines = {}) {
  Grant out;
  for (const Permission permission : allow) out.allow[static_cast<size_t>(permission)] = true;
  out.queues = std::move(queues);
  out.pipelines = std::move(pipelines);
  return out;
}

TEST(Glob, AStarIsAnyRunOfCharacters) {
  EXPECT_TRUE(glob_matches("team-*", "team-a"));
  EXPECT_TRUE(glob_matches("team-*", "team-"));
  EXPECT_TRUE(glob_matches("*-a-*", "team-a-b-a-c"));
  EXPECT_TRUE(glob_matches("*", ""));
  EXPECT_TRUE(glob_matches("a", "a"));
  EXPECT_FALSE(glob_matches("a", "ab"));
  EXPECT_FALSE(glob_matches("team-*", "team"));
  EXPECT_FALSE(glob_matches("*a", "ab"));
  EXPECT_FALSE(glob_matches("", "a"));
  EXPECT_FALSE(glob_matches("te?m", "team"));  // no other wildcards
}

TEST(Glob, ManyStarsTakeNoLongerThanTheProduct) {
  const std::string text(2000, 'a');
  std::string pattern;
  for (int i = 0; i < 60; ++i) pattern += "*a";
  EXPECT_FALSE(glob_matches(pattern + "b", text));
  EXPECT_TRUE(glob_matches(pattern, text));
}

TEST(Grant, HoldsOnItsQueuesOnly) {
  Principal who;
  who.grants = {grant({Permission::kSubmit, Permission::kRead}, {"team-a", "shared-*"}),
                grant({Permission::kRead}, {"*"})};
  EXPECT_TRUE(who.may(Permission::kSubmit, "team-a"));
  EXPECT_TRUE(who.may(Permission::kSubmit, "shared-x"));
  EXPECT_FALSE(who.may(Permission::kSubmit, "team-b"));
  EXPECT_TRUE(who.may(Permission::kRead, "team-b"));
  EXPECT_FALSE(who.may(Permission::kCancel, "team-a"));
  EXPECT_FALSE(who.may(Permission::kCancel));
  EXPECT_TRUE(who.may_everywhere(Permission::kRead));
  EXPECT_FALSE(who.may_everywhere(Permission::kSubmit));
}

TEST(Grant, NobodyHasTheNoPermission) {
  Principal who;
  who.grants = {grant({Permission::kNone, Permission::kAdmin}, {"*"})};
  EXPECT_FALSE(who.may(Permission::kNone));
  EXPECT_FALSE(who.may(Permission::kNone, "default"));
  EXPECT_FALSE(who.may_everywhere(Permission::kNone));
}

TEST(Grant, NamedPipelinesLeaveOutEverythingElse) {
  Principal who;
  who.grants = {grant({Permission::kSubmit}, {"web"}, {"scrape-*"}),
                grant({Permission::kSubmit}, {"lab"})};
  EXPECT_TRUE(who.may_submit("web", "scrape-news"));
  EXPECT_FALSE(who.may_submit("web", "payroll"));
  EXPECT_FALSE(who.may_submit("web", ""));  // inline, or a bare stage
  EXPECT_TRUE(who.may_submit("lab", "payroll"));
  EXPECT_TRUE(who.may_submit("lab", ""));
  EXPECT_FALSE(who.may_submit("other", "scrape-news"));
}

}  // namespace
}  // namespace fermata::frontend
