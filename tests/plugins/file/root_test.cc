#include "plugins/file/root.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/plugins/file/temp_folder.h"

namespace fermata::file {
namespace {

class RootTest : public testing::Test {
 protected:
  RootTest() {
    folder_.put("in/a.txt", "inside");
    folder_.put("out/secret.txt", "outside");
  }
  absl::StatusCode open_code(const std::string& path) {
    return root_().open_beneath(path, O_RDONLY).status().code();
  }
  Root root_() { return *Root::open(folder_.path("in")); }
  void link(const std::string& target, const std::string& name) {
    ASSERT_EQ(::symlink(target.c_str(), folder_.path(name).c_str()), 0);
  }
  TempFolder folder_;
};

TEST_F(RootTest, OpensWhatIsBelow) {
  EXPECT_EQ(open_code("a.txt"), absl::StatusCode::kOk);
  EXPECT_EQ(open_code("./a.txt"), absl::StatusCode::kOk);
  EXPECT_EQ(open_code("none.txt"), absl::StatusCode::kNotFound);
}

TEST_F(RootTest, NoPathLeadsOutside) {
  EXPECT_EQ(open_code("../out/secret.txt"), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(open_code("/etc/passwd"), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(open_code(folder_.path("out/secret.txt")), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(open_code("x/../../out/secret.txt"), absl::StatusCode::kNotFound);
}

TEST_F(RootTest, NoLinkLeadsOutside) {
  link("../out/secret.txt", "in/file");
  link("../out", "in/folder");
  link("/etc/passwd", "in/absolute");
  link("loop", "in/loop");
  link("/proc/self/root/etc/passwd", "in/magic");
  for (const char* path : {"file", "folder/secret.txt", "absolute", "loop", "magic"}) {
    EXPECT_EQ(open_code(path), absl::StatusCode::kPermissionDenied) << path;
  }
}

TEST_F(RootTest, LinksThatStayInsideWork) {
  link("a.txt", "in/b.txt");
  EXPECT_EQ(open_code("b.txt"), absl::StatusCode::kOk);
}

TEST_F(RootTest, ErrorsNameThePathAndTheReason) {
  EXPECT_EQ(root_().open_beneath("../x", O_RDONLY).status().message(),
            "open '../x': Invalid cross-device link (the path leaves the configured root)");
  EXPECT_EQ(Root::open(folder_.path("none")).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(RootTest, MakesMissingFoldersInsideOnly) {
  EXPECT_TRUE(root_().make_folders("x/y/z").ok());
  EXPECT_TRUE(root_().make_folders("x/y/z").ok());
  EXPECT_TRUE(std::filesystem::is_directory(folder_.path("in/x/y/z")));
  link("../out", "in/folder");
  EXPECT_EQ(root_().make_folders("folder/new").status().code(),
            absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(root_().make_folders("../new").status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_FALSE(std::filesystem::exists(folder_.path("out/new")));
}

TEST(CheckPath, RefusesWhatCannotNameAFile) {
  for (const char* path : {"", "/a", "a/", "..", ".", "a/..", "a/."}) {
    EXPECT_EQ(check_path(path).code(), absl::StatusCode::kInvalidArgument) << path;
  }
  EXPECT_EQ(check_path(std::string_view("a\0b", 3)).code(), absl::StatusCode::kInvalidArgument);
  for (const char* path : {"a", "a/b.txt", "..a", "a..", "a/../b"}) {
    EXPECT_TRUE(check_path(path).ok()) << path;
  }
}

}  // namespace
}  // namespace fermata::file
