// inspect, run and bench, on plugins without a server.
#include <fstream>
#include <string>
#include <vector>

#include "services/config/json.h"
#include "services/plugin_kit/inspect.h"
#include "services/plugin_kit/run_stage.h"
#include "services/plugin_kit/subject.h"
#include "tests/plugin_kit/kit_testing.h"

namespace fermata::kit {
namespace {

constexpr char kGood[] = "tests/plugin_kit/bad/good.so";

TEST(Inspect, TellsWhoItIsWithoutRunningIt) {
  // Its constructor would change the process, its entry exit it: neither is run.
  const absl::StatusOr<std::string> text =
      inspect_file("tests/plugin_kit/bad/constructor.so", Format::kText);
  ASSERT_TRUE(text.ok()) << text.status();
  for (const char* line :
       {"id               org.example.bad\n", "version          1.0.0\n", "needs_abi        1.0\n",
        "exports          fermata_plugin_v1\n", "libc.so.6\n"}) {
    EXPECT_NE(text->find(line), std::string::npos) << line << "\n" << *text;
  }
}

TEST(Inspect, GivesTheSameAsJson) {
  const absl::StatusOr<std::string> text = inspect_file(kGood, Format::kJson);
  ASSERT_TRUE(text.ok()) << text.status();
  const absl::StatusOr<JsonDocument> document = parse_json(*text);
  ASSERT_TRUE(document.ok()) << document.status();
  EXPECT_EQ(as_string_view(*find_member(*document, "id")), "org.example.bad");
  EXPECT_TRUE(find_member(*document, "exports")->IsArray());
}

// A terminal obeys some bytes, and JSON has no place for others.
TEST(Inspect, NamesOutOfTheFileAreText) {
  std::string bytes = *read_file("tests/plugin_kit/bad/exports.so");
  const std::string name("\0helper\0", 8);
  const std::string evil("\0\x1b[2J\xff!\0", 8);
  for (size_t at = bytes.find(name); at != std::string::npos; at = bytes.find(name, at + 1)) {
    bytes.replace(at, name.size(), evil);
  }
  const std::string path = testing::TempDir() + "/evil.so";
  std::ofstream(path, std::ios::binary) << bytes;
  for (const Format format : {Format::kText, Format::kJson}) {
    const absl::StatusOr<std::string> text = inspect_file(path, format);
    ASSERT_TRUE(text.ok()) << text.status();
    EXPECT_NE(text->find("x1b[2J"), std::string::npos) << *text;
    EXPECT_EQ(text->find('\x1b'), std::string::npos);
    EXPECT_EQ(text->find('\xff'), std::string::npos);
  }
}

TEST(Inspect, AFileThatIsNoPlugin) {
  EXPECT_EQ(inspect_file("tests/no/such.so", Format::kText).status().code(),
            absl::StatusCode::kNotFound);
  const absl::StatusOr<std::string> text =
      inspect_file("tests/stages/bad/no_note.so", Format::kText);
  ASSERT_TRUE(text.ok());
  EXPECT_NE(text->find("note             no note\n"), std::string::npos) << *text;
}

TEST(RunStage, GivesTheOutputOnARealLoop) {
  RunOptions options;
  options.file = kGood;
  options.stage = "echo";
  options.input = R"({"a":1})";
  const absl::StatusOr<std::string> output = run_stage(options);
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_EQ(*output, R"({"a":1})");
}

TEST(RunStage, SaysWhatIsWrongWithTheStageOrTheFile) {
  RunOptions options;
  options.file = kGood;
  options.stage = "ecko";
  EXPECT_EQ(run_stage(options).status().message(), "no stage 'bad/ecko', did you mean 'bad/echo'?");
  options.file = "tests/stages/bad/refuses_host.so";
  EXPECT_EQ(run_stage(options).status().code(), absl::StatusCode::kFailedPrecondition);
  options.file = "tests/no/such.so";
  EXPECT_EQ(run_stage(options).status().code(), absl::StatusCode::kNotFound);
  options.file = testing::TempDir();
  EXPECT_EQ(run_stage(options).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(BenchStage, CountsCalls) {
  RunOptions options;
  options.file = kGood;
  options.stage = "echo";
  const absl::StatusOr<BenchResult> result = bench_stage(options, absl::Milliseconds(400), 8);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_GT(result->calls, 0u);
  EXPECT_GE(result->p50, absl::Milliseconds(1));  // its nap
  EXPECT_GE(result->p99, result->p50);
}

}  // namespace
}  // namespace fermata::kit
