// What fermatad says when it cannot start, and what --check finds.
#include <signal.h>

#include <sstream>
#include <string>

#include "gtest/gtest.h"
#include "services/config/json.h"
#include "tests/fermatad/daemon_process.h"

namespace fermata {
namespace {

struct Ended {
  int code;
  std::string errors;
};

Ended run_to_end(const std::vector<std::string>& arguments) {
  DaemonProcess process(arguments);
  const int code = process.wait();
  return {code, process.errors()};
}

void expect_says(const Ended& ended, int code, const std::string& part) {
  EXPECT_EQ(ended.code, code) << ended.errors;
  EXPECT_NE(ended.errors.find(part), std::string::npos) << ended.errors;
}

constexpr char kFreePorts[] = "listen: 127.0.0.1:0\nmetrics: 127.0.0.1:0\n";

TEST(Startup, WithoutAConfigurationItSaysHow) { expect_says(run_to_end({}), 2, "--config"); }

TEST(Startup, AFileThatIsNotThereIsNamed) {
  expect_says(run_to_end({"--config", "/nowhere/fermata.yaml"}), 2, "/nowhere/fermata.yaml");
}

TEST(Startup, AnUnknownKeyIsNamedWithItsPlaceAndTheNearestOne) {
  const TestFolder folder;
  const std::string file =
      folder.write("fermata.yaml", "listen: 127.0.0.1:0\nmetrcs: 127.0.0.1:0\n");
  const Ended ended = run_to_end({"--config", file});
  expect_says(ended, 2, "fermata.yaml:2:1");
  expect_says(ended, 2, "did you mean 'metrics'");
}

TEST(Startup, ABadPipelineIsNamedWithItsPlace) {
  const TestFolder folder;
  folder.write("pipelines/bad.yaml", "pipeline: bad\nstages:\n  a: { use: no/such }\n");
  const std::string file =
      folder.write("fermata.yaml", std::string(kFreePorts) + "pipelines: { folder: pipelines }\n");
  expect_says(run_to_end({"--config", file}), 1, "bad.yaml:3:");
  expect_says(run_to_end({"--config", file, "--check"}), 1, "bad.yaml:3:");
}

TEST(Startup, APortThatIsTakenIsNamed) {
  const TestFolder folder;
  const std::string file = folder.write("fermata.yaml", kFreePorts);
  DaemonProcess first({"--config", file});
  const Addresses taken = addresses_of(first.read_line());
  ASSERT_NE(taken.grpc, "");
  expect_says(run_to_end({"--config", folder.write("a.yaml", "listen: " + taken.grpc +
                                                                 "\nmetrics: 127.0.0.1:0\n")}),
              1, taken.grpc);
  expect_says(
      run_to_end({"--config",
                  folder.write("b.yaml", "listen: 127.0.0.1:0\nmetrics: " + taken.metrics + "\n")}),
      1, taken.metrics);
  first.signal(SIGTERM);
  EXPECT_EQ(first.wait(), 0);
}

TEST(Log, AsJsonEveryLineIsAnObject) {
  const TestFolder folder;
  for (const char* name : {"\"quoted\"", "two\nlines", "no \xff\xfe text \xc3"}) {
    folder.write(std::string("plugins/") + name + ".so", "");  // named in a warning
  }
  const std::string file =
      folder.write("fermata.yaml", std::string(kFreePorts) +
                                       "plugins: { folder: plugins }\nlog: { format: json }\n");
  DaemonProcess process({"--config", file});
  process.read_line();
  process.signal(SIGTERM);
  EXPECT_EQ(process.wait(), 0) << process.errors();
  int lines = 0;
  std::istringstream text(process.errors());
  for (std::string line; std::getline(text, line); ++lines) {
    const absl::StatusOr<JsonDocument> parsed = parse_json(line);
    ASSERT_TRUE(parsed.ok()) << line << ": " << parsed.status();
    for (const char* key : {"time", "level", "message"}) {
      EXPECT_TRUE(parsed->HasMember(key)) << line;
    }
  }
  EXPECT_GE(lines, 5) << process.errors();
}

TEST(Check, FindsNothingWrong) {
  const TestFolder folder;
  folder.add_plugin("time");
  folder.write("pipelines/nap.yaml",
               "pipeline: nap\nstages:\n  a: { use: time/delay, with: { for: 1s } }\n");
  const std::string file = folder.write(
      "fermata.yaml", "plugins: { folder: plugins }\npipelines: { folder: pipelines }\n");
  DaemonProcess process({"--config", file, "--check"});
  EXPECT_EQ(process.read_line(), "plugins: 1 loaded, 0 refused; pipelines: 1");
  EXPECT_EQ(process.wait(), 0) << process.errors();
}

TEST(Check, ARefusedPluginIsAFinding) {
  const TestFolder folder;
  folder.write("plugins/broken.so", "");
  const std::string file = folder.write("fermata.yaml", "plugins: { folder: plugins }\n");
  expect_says(run_to_end({"--config", file, "--check"}), 1, "PLG-");
}

TEST(Check, AFolderThatIsNotThereIsNamed) {
  const TestFolder folder;
  const std::string file = folder.write("fermata.yaml", "plugins: { folder: nowhere }\n");
  expect_says(run_to_end({"--config", file, "--check"}), 1, "nowhere");
}

}  // namespace
}  // namespace fermata
