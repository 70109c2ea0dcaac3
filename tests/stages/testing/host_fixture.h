// HostFixture: a PluginHost on a real loop, with a folder of plugins made for one test.
//
// A test is a coroutine that gets the host, everything loaded; the host is closed when it ends.
#ifndef TESTS_STAGES_TESTING_HOST_FIXTURE_H_
#define TESTS_STAGES_TESTING_HOST_FIXTURE_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "services/async/async.h"
#include "services/stages/plugin_host.h"

namespace fermata {

// The bytes of a file that the test depends on: a path from the repository's root.
std::string read_runfile(const std::string& path);

class HostFixture : public testing::Test {
 public:
  HostFixture();
  ~HostFixture() override;

  // Puts a file into the plugin folder.
  void put(const std::string& name, std::string_view bytes, int mode = 0644);
  void put_plugin(const std::string& name, const std::string& runfile) {
    put(name, read_runfile(runfile));
  }
  std::string folder() const { return root_ + "/plugins"; }

  using Body = Co<absl::Status> (*)(PluginHost& host, HostFixture& test);
  // Loads the folder and runs the body.
  void run(Body body);

  StagesOptions options;
  LoadReport report;
  std::vector<std::string> logs;  // "level stage job message"

 private:
  static Co<absl::Status> run_on_loop(HostFixture* test, Loop* loop, Body body);
  std::string root_;
};

// Resolves and calls in one go.
Co<StageOutcome> call_stage(PluginHost& host, std::string use, std::string input);

}  // namespace fermata

#endif  // TESTS_STAGES_TESTING_HOST_FIXTURE_H_
