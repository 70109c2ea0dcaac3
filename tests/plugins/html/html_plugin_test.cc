#include <gtest/gtest.h>

#include "services/config/json.h"
#include "tests/stages/testing/host_fixture.h"

namespace fermata {
namespace {

class HtmlPlugin : public HostFixture {
 public:
  HtmlPlugin() { put_plugin("html.so", "plugins/html/html.so"); }
};

Co<absl::Status> works(PluginHost& host, HostFixture&) {
  StageOutcome out =
      co_await call_stage(host, "html/select", R"({"html":["<p> a</p>",null],"xpath":"//p"})");
  EXPECT_EQ(out.output.view(), R"([["a"],[]])") << out.status;
  out = co_await call_stage(host, "html/links", R"({"html":"<a href=b#c>","base":"http://h/a"})");
  EXPECT_EQ(out.output.view(), R"(["http://h/b"])") << out.status;
  co_return absl::OkStatus();
}
TEST_F(HtmlPlugin, SelectsAndLinks) { run(works); }

Co<absl::Status> works_on_large(PluginHost& host, HostFixture&) {
  std::string page;
  for (int i = 0; i < 5000; ++i) page += "<p>some text</p>";
  std::string input = R"j({"xpath":"string(count(//p))","html":)j" + json_quote(page) + "}";
  const StageOutcome out = co_await call_stage(host, "html/select", std::move(input));
  EXPECT_EQ(out.output.view(), R"(["5000"])") << out.status;
  co_return absl::OkStatus();
}
TEST_F(HtmlPlugin, LargePagesGoToAThread) { run(works_on_large); }

Co<absl::Status> refuses(PluginHost& host, HostFixture&) {
  for (const char* input :
       {R"({"html":"<p>"})", R"({"html":"<p>","xpath":""})", R"({"html":"<p>","xpath":"//p["})",
        R"({"html":7,"xpath":"//p"})", R"({"html":[7],"xpath":"//p"})",
        R"({"html":"","xpath":"//p","limit":0})", R"({"html":"","xpath":"//p","colour":1})"}) {
    const StageOutcome out = co_await call_stage(host, "html/select", input);
    EXPECT_EQ(out.status.code(), absl::StatusCode::kInvalidArgument) << input << out.status;
    EXPECT_FALSE(out.retryable);
  }
  co_return absl::OkStatus();
}
TEST_F(HtmlPlugin, WrongInputIsRefused) { run(refuses); }

Co<absl::Status> is_limited(PluginHost& host, HostFixture&) {
  const StageOutcome out =
      co_await call_stage(host, "html/select", R"({"html":"<p>too long","xpath":"//p"})");
  EXPECT_FALSE(out.status.ok());
  EXPECT_NE(out.status.message().find("the limit is 5"), absl::string_view::npos) << out.status;
  co_return absl::OkStatus();
}
TEST_F(HtmlPlugin, TheOperatorsLimitsHold) {
  options.config["html"] = R"({"max_page_bytes":5})";
  run(is_limited);
}

Co<absl::Status> cancel_large(TaskGroup& group, PluginHost* host) {
  std::string page;
  for (int i = 0; i < 5000; ++i) page += "<p>text";
  std::string input = R"({"xpath":"//p","html":[)" + json_quote(page);
  for (int i = 0; i < 40; ++i) input += "," + json_quote(page);
  input += "]}";
  const Task<StageOutcome> task =
      group.spawn(call_stage, std::ref(*host), "html/select", std::move(input));
  for (int i = 0; i < 5; ++i) co_await yield_now();
  EXPECT_FALSE(task.done());
  task.cancel();
  const Outcome<StageOutcome> outcome = co_await task;
  EXPECT_TRUE(outcome.cancelled());
  co_return absl::OkStatus();
}
Co<absl::Status> cancels(PluginHost& host, HostFixture&) {
  co_return co_await with_group(cancel_large, &host);
}
TEST_F(HtmlPlugin, CancelStopsAThreadInTheMiddleOfItsPages) { run(cancels); }

}  // namespace
}  // namespace fermata
