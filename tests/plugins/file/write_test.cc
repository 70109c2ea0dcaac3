#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins/file/file_stages.h"
#include "tests/plugins/file/temp_folder.h"

namespace fermata::file {
namespace {

using Names = std::vector<std::string>;

bool never() { return false; }
bool at_once() { return true; }

class WriteTest : public testing::Test {
 protected:
  absl::StatusOr<std::string> run(const std::string& input, Stop stop = never) {
    const absl::StatusOr<WriteOptions> options = read_write_options(input, config_);
    if (!options.ok()) return options.status();
    return write(*Root::open(folder_.path()), *options, stop);
  }
  absl::StatusCode code(const std::string& input) { return run(input).status().code(); }
  TempFolder folder_;
  Config config_;
};

TEST_F(WriteTest, CreatesOnlyWhatIsNotThere) {
  EXPECT_EQ(*run(R"({"path":"a","content":"one"})"), R"({"path":"a","bytes":3})");
  EXPECT_EQ(code(R"({"path":"a","content":"two"})"), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(folder_.get("a"), "one");
  EXPECT_EQ(folder_.names(), Names{"a"});
}

TEST_F(WriteTest, ReplaceKeepsTheModeAndLeavesNothingBehind) {
  folder_.put("a", "old");
  ASSERT_EQ(::chmod(folder_.path("a").c_str(), 0600), 0);
  EXPECT_TRUE(run(R"({"path":"a","content":"new","mode":"replace"})").ok());
  EXPECT_EQ(folder_.get("a"), "new");
  struct stat info = {};
  ASSERT_EQ(::stat(folder_.path("a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  EXPECT_TRUE(run(R"({"path":"b","content":"fresh","mode":"replace"})").ok());
  EXPECT_EQ(folder_.names(), (Names{"a", "b"}));
}

TEST_F(WriteTest, AStoppedReplaceLeavesTheOldFile) {
  folder_.put("a", "old");
  EXPECT_EQ(run(R"({"path":"a","content":"new","mode":"replace"})", at_once).status().code(),
            absl::StatusCode::kCancelled);
  EXPECT_EQ(folder_.get("a"), "old");
  EXPECT_EQ(folder_.names(), Names{"a"});
}

TEST_F(WriteTest, LeftoversOfACrashAreInNobodysWay) {
  folder_.put(".fermata-" + std::to_string(::getpid()) + "-0.tmp", "left");
  EXPECT_TRUE(run(R"({"path":"a","content":"x"})").ok());
  EXPECT_EQ(folder_.get("a"), "x");
}

TEST_F(WriteTest, AppendAdds) {
  EXPECT_TRUE(run(R"({"path":"a","content":"1\n","mode":"append"})").ok());
  EXPECT_TRUE(run(R"({"path":"a","content":"2\n","mode":"append"})").ok());
  EXPECT_EQ(folder_.get("a"), "1\n2\n");
}

TEST_F(WriteTest, Base64IsDecoded) {
  EXPECT_TRUE(run(R"({"path":"a","content":"AP8B","encoding":"base64"})").ok());
  EXPECT_EQ(folder_.get("a"), std::string("\x00\xff\x01", 3));
  EXPECT_EQ(code(R"({"path":"b","content":"%%%","encoding":"base64"})"),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(WriteTest, FoldersAreMadeWhenAskedFor) {
  EXPECT_EQ(code(R"({"path":"x/y/a","content":""})"), absl::StatusCode::kNotFound);
  EXPECT_TRUE(run(R"({"path":"x/y/a","content":"1","make_folders":true})").ok());
  EXPECT_EQ(folder_.get("x/y/a"), "1");
}

TEST_F(WriteTest, NothingOutsideTheRootIsTouched) {
  TempFolder other;
  other.put("victim", "safe");
  ASSERT_EQ(::symlink(other.path().c_str(), folder_.path("link").c_str()), 0);
  ASSERT_EQ(::symlink(other.path("victim").c_str(), folder_.path("direct").c_str()), 0);
  for (const char* mode : {"create", "replace", "append"}) {
    const std::string tail = std::string(R"(","content":"x","mode":")") + mode + "\"}";
    EXPECT_EQ(code(R"({"path":"link/victim)" + tail), absl::StatusCode::kPermissionDenied) << mode;
    EXPECT_EQ(code(R"({"path":"../victim)" + tail), absl::StatusCode::kPermissionDenied) << mode;
  }
  EXPECT_EQ(code(R"({"path":"direct","content":"x","mode":"append"})"),
            absl::StatusCode::kPermissionDenied);
  // Replace puts a file where the link was; what the link led to stays.
  EXPECT_TRUE(run(R"({"path":"direct","content":"x","mode":"replace"})").ok());
  EXPECT_EQ(other.get("victim"), "safe");
  EXPECT_EQ(folder_.get("direct"), "x");
}

TEST_F(WriteTest, FoldersAndPipesAreNotWrittenTo) {
  folder_.put("d/x", "");
  ASSERT_EQ(::mkfifo(folder_.path("pipe").c_str(), 0600), 0);
  EXPECT_FALSE(run(R"({"path":"d","content":"x","mode":"replace"})").ok());
  EXPECT_EQ(code(R"({"path":"d","content":"x"})"), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(code(R"({"path":"pipe","content":"x","mode":"append"})"),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(folder_.names(), (Names{"d", "pipe"}));
}

TEST_F(WriteTest, ReadOnlyAndSizeAreTheServersToSay) {
  config_.bytes_max = 2;
  EXPECT_EQ(code(R"({"path":"a","content":"123"})"), absl::StatusCode::kOutOfRange);
  config_.read_only = true;
  EXPECT_EQ(code(R"({"path":"a","content":"1"})"), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(folder_.names(), Names{});
}

TEST_F(WriteTest, BadOptionsSayWhat) {
  EXPECT_EQ(run(R"({"path":"a","content":"x","mode":"truncate"})").status().message(),
            "mode: expected create, replace or append, got 'truncate'");
  EXPECT_EQ(code(R"({"path":"a","content":7})"), absl::StatusCode::kInvalidArgument);
}

TEST(FileConfig, ReadsItsOptions) {
  const auto config = read_config(R"({"root":"/srv","read_only":true,"max_bytes":"1KiB"})");
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->root, "/srv");
  EXPECT_TRUE(config->read_only);
  EXPECT_EQ(config->bytes_max, 1024u);
}

}  // namespace
}  // namespace fermata::file
