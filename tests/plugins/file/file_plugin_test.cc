#include <gtest/gtest.h>

#include "services/config/json.h"
#include "tests/plugins/file/temp_folder.h"
#include "tests/stages/testing/host_fixture.h"

namespace fermata {
namespace {

class FilePlugin : public HostFixture {
 public:
  FilePlugin() { put_plugin("file.so", "plugins/file/file.so"); }
  void configure(const std::string& more = "") {
    options.config["file"] = R"({"root":)" + json_quote(root.path()) + more + "}";
  }
  file::TempFolder root;
};

Co<absl::Status> writes_and_reads(PluginHost& host, HostFixture&) {
  StageOutcome out = co_await call_stage(
      host, "file/write", R"({"path":"d/a.txt","content":"hello","make_folders":true})");
  EXPECT_EQ(out.output.view(), R"({"path":"d/a.txt","bytes":5})") << out.status;
  out = co_await call_stage(host, "file/read", R"({"path":"d/a.txt"})");
  EXPECT_EQ(out.output.view(),
            R"({"path":"d/a.txt","bytes":5,"encoding":"text","content":"hello"})")
      << out.status;
  out = co_await call_stage(host, "file/write", R"({"path":"d/a.txt","content":"again"})");
  EXPECT_FALSE(out.status.ok());
  EXPECT_FALSE(out.retryable);
  co_return absl::OkStatus();
}
TEST_F(FilePlugin, WritesAndReadsBelowItsRoot) {
  configure();
  run(writes_and_reads);
  EXPECT_EQ(root.get("d/a.txt"), "hello");
}

Co<absl::Status> stays_inside(PluginHost& host, HostFixture&) {
  for (const char* path : {"../x", "/etc/passwd", "a/../../x", ""}) {
    const std::string name = R"({"path":)" + json_quote(path);
    StageOutcome out = co_await call_stage(host, "file/read", name + "}");
    EXPECT_FALSE(out.status.ok()) << path;
    EXPECT_FALSE(out.retryable) << path << out.status;
    out = co_await call_stage(host, "file/write", name + R"(,"content":""})");
    EXPECT_FALSE(out.status.ok()) << path;
    EXPECT_FALSE(out.retryable) << path << out.status;
  }
  co_return absl::OkStatus();
}
TEST_F(FilePlugin, NothingOutsideItsRoot) {
  configure();
  run(stays_inside);
}

Co<absl::Status> has_no_root(PluginHost& host, HostFixture&) {
  const StageOutcome out = co_await call_stage(host, "file/read", R"({"path":"a"})");
  EXPECT_NE(out.status.message().find("set plugins.config.file.root"), absl::string_view::npos)
      << out.status;
  EXPECT_FALSE(out.retryable);
  co_return absl::OkStatus();
}
TEST_F(FilePlugin, WithoutARootItLoadsAndSaysHowToConfigureIt) { run(has_no_root); }

Co<absl::Status> only_reads(PluginHost& host, HostFixture&) {
  StageOutcome out = co_await call_stage(host, "file/write", R"({"path":"b","content":""})");
  EXPECT_FALSE(out.status.ok());
  out = co_await call_stage(host, "file/read", R"({"path":"a"})");
  EXPECT_TRUE(out.status.ok()) << out.status;
  co_return absl::OkStatus();
}
TEST_F(FilePlugin, CanBeReadOnly) {
  configure(R"(,"read_only":true)");
  root.put("a", "x");
  run(only_reads);
  EXPECT_EQ(root.names(), std::vector<std::string>{"a"});
}

}  // namespace
}  // namespace fermata
