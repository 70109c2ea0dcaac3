#include "tests/stages/testing/host_fixture.h"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "absl/strings/str_cat.h"

namespace fermata {
namespace {

constexpr char kPluginHost[] = "services/plugin_host/fermata-plugin-host";

}  // namespace

std::string read_runfile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.good()) << "no such file: " << path;
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

HostFixture::HostFixture() {
  const char* base = std::getenv("TEST_TMPDIR");
  std::string pattern = absl::StrCat(base != nullptr ? base : "/tmp", "/stages.XXXXXX");
  root_ = ::mkdtemp(pattern.data());
  std::filesystem::create_directory(folder());
  ::chmod(folder().c_str(), 0755);
  options.folder = folder();
  options.private_dir = root_ + "/private";
  // The same tests run once more with every plugin in a process of its own.
  options.placements.program = std::filesystem::absolute(kPluginHost).string();
  if (std::getenv("FERMATA_TEST_ISOLATED") != nullptr) {
    options.placements.standard.placement = Placement::kIsolated;
  }
  options.log = [this](const StageLogRecord& record) {
    logs.push_back(absl::StrCat(static_cast<int>(record.level), " ", std::string(record.stage), " ",
                                std::string(record.job_id), " ", std::string(record.message)));
  };
}

HostFixture::~HostFixture() {
  std::error_code ignored;
  std::filesystem::remove_all(root_, ignored);
}

void HostFixture::put(const std::string& name, std::string_view bytes, int mode) {
  const std::string path = folder() + "/" + name;
  std::ofstream(path, std::ios::binary) << bytes;
  ASSERT_EQ(::chmod(path.c_str(), static_cast<mode_t>(mode)), 0);
}

Co<absl::Status> HostFixture::run_on_loop(HostFixture* test, Loop* loop, Body body) {
  PluginHost host(*loop, test->options);
  test->report = co_await host.load_all();
  // For whoever reads a failure: most of them begin with a plugin that was not loaded.
  for (const std::string& refusal : test->report.refusals) std::cout << refusal << std::endl;
  absl::Status status = test->report.status;
  if (status.ok() && body != nullptr) status = co_await body(host, *test);
  co_await host.close();
  co_return status;
}

void HostFixture::run(Body body) {
  EpollLoop loop;
  HostFixture* self = this;
  Loop* base = &loop;
  const absl::Status status = loop.run(&HostFixture::run_on_loop, self, base, body);
  EXPECT_TRUE(status.ok()) << status;
}

Co<StageOutcome> call_stage(PluginHost& host, std::string use, std::string input) {
  absl::StatusOr<StageRef> stage = host.resolve(use);
  if (!stage.ok()) {
    StageOutcome outcome;
    outcome.status = stage.status();
    co_return outcome;
  }
  StageRequest request;
  request.job_id = "job-1";
  request.input = std::move(input);
  co_return co_await host.call(*std::move(stage), std::move(request));
}

}  // namespace fermata
