#include <gtest/gtest.h>

#include "tests/stages/testing/host_fixture.h"

namespace fermata {
namespace {

class JsonPlugin : public HostFixture {
 public:
  JsonPlugin() { put_plugin("json.so", "plugins/json/json.so"); }
};

Co<absl::Status> works(PluginHost& host, HostFixture&) {
  StageOutcome out =
      co_await call_stage(host, "json/pick", R"({"value":{"a":[1,2]},"pointer":"/a/1"})");
  EXPECT_EQ(out.output.view(), "2") << out.status;
  out = co_await call_stage(host, "json/merge", R"({"values":[{"a":1},{"b":2,"a":null}]})");
  EXPECT_EQ(out.output.view(), R"({"b":2})") << out.status;
  co_return absl::OkStatus();
}
TEST_F(JsonPlugin, PicksAndMerges) { run(works); }

Co<absl::Status> works_on_large(PluginHost& host, HostFixture&) {
  const std::string large(1 << 20, 'x');
  const StageOutcome out = co_await call_stage(
      host, "json/pick", R"({"pointer":"/1","value":["x",")" + large + R"("]})");
  EXPECT_EQ(out.output.view().size(), large.size() + 2) << out.status;
  co_return absl::OkStatus();
}
TEST_F(JsonPlugin, LargeValuesGoToAThread) { run(works_on_large); }

Co<absl::Status> refuses(PluginHost& host, HostFixture&) {
  for (const char* input : {R"({"value":1})", R"({"value":1,"pointer":"","pointers":{}})",
                            R"({"value":1,"pointer":"a"})"}) {
    const StageOutcome out = co_await call_stage(host, "json/pick", input);
    EXPECT_EQ(out.status.code(), absl::StatusCode::kInvalidArgument) << input << out.status;
    EXPECT_FALSE(out.retryable);
  }
  const StageOutcome missing =
      co_await call_stage(host, "json/pick", R"({"value":{},"pointer":"/a"})");
  EXPECT_EQ(missing.status.code(), absl::StatusCode::kNotFound) << missing.status;
  EXPECT_FALSE(missing.retryable);
  const StageOutcome out = co_await call_stage(host, "json/merge", R"({"values":[]})");
  EXPECT_EQ(out.status.code(), absl::StatusCode::kInvalidArgument) << out.status;
  co_return absl::OkStatus();
}
TEST_F(JsonPlugin, WrongInputIsRefused) { run(refuses); }

}  // namespace
}  // namespace fermata
