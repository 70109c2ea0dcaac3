#include "services/pipeline/pipeline_library.h"

#include <sys/stat.h>

#include <fstream>
#include <string>

#include "gtest/gtest.h"
#include "tests/pipeline/fake_catalog.h"

namespace fermata {
namespace {

class PipelineLibraryTest : public testing::Test {
 protected:
  PipelineLibraryTest() {
    folder_ =
        testing::TempDir() + "/" + testing::UnitTest::GetInstance()->current_test_info()->name();
    mkdir(folder_.c_str(), 0755);
  }

  void write(const std::string& file, const std::string& text) {
    std::ofstream(folder_ + "/" + file) << text;
  }
  static std::string pipeline(const std::string& name) {
    return "pipeline: " + name + "\nstages: { a: { use: time/delay, with: { for: 1s } } }\n";
  }
  std::string load() { return std::string(library_.load(folder_, &catalog_).message()); }

  std::string folder_;
  FakeCatalog catalog_ = FakeCatalog::shipped();
  PipelineLibrary library_;
};

TEST_F(PipelineLibraryTest, LoadsTheYamlFilesOfAFolder) {
  write("b.yaml", pipeline("two"));
  write("a.yml", pipeline("one"));
  write("README.md", "not a pipeline");
  write(".hidden.yaml", "not a pipeline");
  EXPECT_EQ(load(), "");
  ASSERT_EQ(library_.list().size(), 2u);
  EXPECT_EQ(library_.list()[0]->name, "one");
  EXPECT_EQ((*library_.resolve("two"))->name, "two");
}

TEST_F(PipelineLibraryTest, AnUnknownNameHasAHint) {
  write("a.yaml", pipeline("scrape"));
  ASSERT_EQ(load(), "");
  absl::Status status = library_.resolve("scrap").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status.message(),
            "expected the name of a pipeline, got 'scrap', did you mean 'scrape'?");
  EXPECT_FALSE(library_.resolve("\xFF\n").ok());
}

TEST_F(PipelineLibraryTest, OneBadFileLeavesTheLibraryAsItWas) {
  write("a.yaml", pipeline("good"));
  ASSERT_EQ(load(), "");
  write("b.yaml", "pipeline: bad\n");
  write("c.yaml", "pipeline: [\n");
  std::string errors = load();
  EXPECT_NE(errors.find(folder_ + "/b.yaml:1:1: stages, expected"), std::string::npos) << errors;
  EXPECT_NE(errors.find(folder_ + "/c.yaml:2:1: expected YAML"), std::string::npos) << errors;
  EXPECT_EQ(library_.size(), 1u);
  EXPECT_TRUE(library_.resolve("good").ok());
}

TEST_F(PipelineLibraryTest, TwoFilesWithOneNameAreBothNamed) {
  write("a.yaml", pipeline("same"));
  write("b.yaml", pipeline("same"));
  EXPECT_EQ(load(),
            folder_ +
                "/b.yaml:1:1: pipeline, expected a name that no other file has, got 'same', "
                "as in " +
                folder_ + "/a.yaml");
}

TEST_F(PipelineLibraryTest, FilesThatAreNoneAreRefused) {
  mkdir((folder_ + "/dir.yaml").c_str(), 0755);
  EXPECT_EQ(load(), folder_ + "/dir.yaml:1:1: expected a file, got something else or nothing");
  write("huge.yaml", std::string((1 << 20) + 5, '#'));
  EXPECT_NE(load().find("huge.yaml:1:1: expected a file of at most 1MiB"), std::string::npos);
}

TEST_F(PipelineLibraryTest, AMissingFolderIsNotFound) {
  absl::Status status = library_.load(folder_ + "/nowhere", nullptr);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status.message(), folder_ +
                                  "/nowhere: expected a folder of pipelines, got: No such file or "
                                  "directory");
}

TEST_F(PipelineLibraryTest, AddRefusesATakenName) {
  auto one = parse_pipeline(pipeline("p"), "p.yaml", nullptr);
  ASSERT_TRUE(library_.add(*one).ok());
  EXPECT_EQ(library_.add(*one).code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(PipelineLibraryTest, TheSamplesThatShipLoad) {
  absl::Status status = library_.load("deploy/pipelines", &catalog_);
  ASSERT_TRUE(status.ok()) << status;
  for (std::string name : {"api", "fastest", "hello", "scrape"}) {
    EXPECT_TRUE(library_.resolve(name).ok()) << name;
  }
  EXPECT_EQ(library_.size(), 4u) << "a sample without a line here";
  std::shared_ptr<const Pipeline> scrape = *library_.resolve("scrape");
  EXPECT_EQ(scrape->stages[0].parallel, 64);
  EXPECT_EQ(scrape->stages[0].gather, GatherMode::kSettled);
}

}  // namespace
}  // namespace fermata
