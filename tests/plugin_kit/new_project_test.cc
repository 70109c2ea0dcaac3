// `fermata plugin new`: what it makes builds with one command and passes the kit as it is.
#include "services/plugin_kit/new_project.h"

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "services/plugin_kit/subject.h"
#include "tests/plugin_kit/kit_testing.h"

namespace fermata::kit {
namespace {

struct Language {
  const char* name;
  const char* tools;  // for make
};

class NewProject : public testing::TestWithParam<Language> {};

TEST_P(NewProject, BuildsWithOneCommandAndPassesItsCheck) {
  const std::string name = std::string("mine_") + GetParam().name;
  const std::string folder = testing::TempDir() + "/" + name;
  const absl::StatusOr<std::vector<std::string>> written =
      make_project({GetParam().name, name, folder});
  ASSERT_TRUE(written.ok()) << written.status();
  const std::string command = absl::StrCat("make -s -C '", folder, "' ", GetParam().tools, " 2>&1");
  ASSERT_EQ(std::system(command.c_str()), 0);
  const std::string file = folder + "/" + name + ".so";
  for (const std::string& line : verdicts_of(options_for(file))) {
    EXPECT_NE(line.substr(0, 5), "FAIL ") << line;
  }
  const std::string id = one_check(options_for(file), "note-present");
  EXPECT_NE(id.find("org.example." + name + " 0.1.0"), std::string::npos) << id;
}

INSTANTIATE_TEST_SUITE_P(Languages, NewProject,
                         testing::Values(Language{"c", "CC=gcc"},
                                         Language{"cpp", "CXX=clang++-19 CXXFLAGS=-O0"},
                                         Language{"rust", "RUSTC=/usr/bin/rustc"}),
                         [](const auto& info) { return info.param.name; });

TEST(NewProjectRefuses, ABadNameAnotherLanguageAndAFolderThatIsInUse) {
  const std::string used = testing::TempDir() + "/used";
  std::filesystem::create_directories(used + "/inside");
  EXPECT_EQ(make_project({"c", "mine", used}).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(make_project({"c", "Mine", used}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(make_project({"cobol", "mine", used}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(make_project({"c", "../mine", used}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace fermata::kit
