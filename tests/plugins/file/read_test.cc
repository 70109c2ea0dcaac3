#include <gtest/gtest.h>
#include <sys/stat.h>

#include "plugins/file/file_stages.h"
#include "tests/plugins/file/temp_folder.h"

namespace fermata::file {
namespace {

bool never() { return false; }
bool at_once() { return true; }

class ReadTest : public testing::Test {
 protected:
  absl::StatusOr<std::string> run(const std::string& input, Stop stop = never) {
    const absl::StatusOr<ReadOptions> options = read_read_options(input, config_);
    if (!options.ok()) return options.status();
    return read(*Root::open(folder_.path()), *options, stop);
  }
  TempFolder folder_;
  Config config_;
};

TEST_F(ReadTest, TextComesAsText) {
  folder_.put("d/a.txt", "x \"y\"\n");
  EXPECT_EQ(*run(R"({"path":"d/a.txt"})"),
            R"({"path":"d/a.txt","bytes":6,"encoding":"text","content":"x \"y\"\n"})");
}

TEST_F(ReadTest, BytesComeAsBase64) {
  folder_.put("b", std::string("\x00\xff\x01", 3));
  EXPECT_EQ(*run(R"({"path":"b","encoding":"base64"})"),
            R"({"path":"b","bytes":3,"encoding":"base64","content":"AP8B"})");
}

TEST_F(ReadTest, BytesThatAreNotTextAreRefusedAsText) {
  folder_.put("b", "ok\xff");
  const auto out = run(R"({"path":"b"})");
  EXPECT_EQ(out.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(out.status().message(), "read 'b': not UTF-8 at byte 2; read it with encoding: base64");
}

TEST_F(ReadTest, SizeIsLimitedByTheCallAndByTheServer) {
  folder_.put("a", "12345");
  EXPECT_TRUE(run(R"({"path":"a","max_bytes":5})").ok());
  EXPECT_EQ(run(R"({"path":"a","max_bytes":4})").status().code(), absl::StatusCode::kOutOfRange);
  config_.bytes_max = 4;
  EXPECT_EQ(run(R"({"path":"a","max_bytes":100})").status().code(), absl::StatusCode::kOutOfRange);
}

TEST_F(ReadTest, FilesWhoseSizeIsNotKnownAreLimitedToo) {
  // /proc files say they have 0 bytes.
  ReadOptions options;
  options.path = "version";
  options.bytes_max = 8;
  EXPECT_EQ(read(*Root::open("/proc"), options, never).status().code(),
            absl::StatusCode::kOutOfRange);
  options.bytes_max = 1 << 20;
  EXPECT_TRUE(read(*Root::open("/proc"), options, never).ok());
}

TEST_F(ReadTest, OnlyRegularFilesAndNeverWaitingForOne) {
  ASSERT_EQ(::mkfifo(folder_.path("pipe").c_str(), 0600), 0);
  EXPECT_EQ(run(R"({"path":"pipe"})").status().code(), absl::StatusCode::kFailedPrecondition);
  folder_.put("d/x", "");
  EXPECT_EQ(run(R"({"path":"d"})").status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(ReadTest, MissingFilesAndBadOptionsSayWhat) {
  EXPECT_EQ(run(R"({"path":"none"})").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(run(R"({"path":"/etc/passwd"})").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(run(R"({"path":"a","encoding":"utf-7"})").status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(run(R"({"path":"a","max_bytes":"many"})").status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(ReadTest, StopsWhenNobodyWaits) {
  folder_.put("a", "12345");
  EXPECT_EQ(run(R"({"path":"a"})", at_once).status().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace fermata::file
