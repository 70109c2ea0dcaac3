// Reload: a PluginHost on a simulated loop that changes versions: run() is running, "p.so" in the
// folder is the plugin of tests/stages/versions in the version that the test drops.
#ifndef TESTS_STAGES_TESTING_RELOAD_FIXTURE_H_
#define TESTS_STAGES_TESTING_RELOAD_FIXTURE_H_

#include <string>
#include <utility>
#include <vector>

#include "tests/stages/testing/host_fixture.h"

namespace fermata {

class Reload : public HostFixture {
 public:
  static std::string file_of(const std::string& version) {
    return "tests/stages/versions/" + version + ".so";
  }
  void drop(const std::string& version) { put_plugin("p.so", file_of(version)); }

  using ReloadBody = Co<absl::Status> (*)(PluginHost& host, Reload& test);
  void run(ReloadBody body) {
    SimLoop loop;
    Reload* self = this;
    Loop* base = &loop;
    const absl::Status status = loop.run(&Reload::run_on_sim, self, base, body);
    EXPECT_TRUE(status.ok()) << status;
  }

  // Replaces p.so, as `mv` does, and loads it.
  Co<FileReport> reload(PluginHost& host, std::string version) {
    put_plugin("new.tmp", file_of(version));
    rename("new.tmp", "p.so");
    co_return co_await host.load_file("p.so", LoadReason::kDropped);
  }
  Task<StageOutcome> spawn_call(PluginHost& host, std::string use, std::string input) {
    return group_->spawn(&call_stage_of, &host, std::move(use), std::move(input));
  }
  // "1.0.0 active", sorted.
  std::vector<std::string> states(PluginHost& host) const;
  // Generations with instances.
  size_t serving(PluginHost& host) const;
  bool logged(const std::string& text) const;

 private:
  void rename(const std::string& from, const std::string& to) const;
  static Co<StageOutcome> call_stage_of(PluginHost* host, std::string use, std::string input) {
    co_return co_await call_stage(*host, std::move(use), std::move(input));
  }
  static Co<absl::Status> run_on_sim(Reload* test, Loop* loop, ReloadBody body);
  static Co<absl::Status> run_in_group(TaskGroup& group, PluginHost* host, Reload* test,
                                       ReloadBody body);
  static Co<absl::Status> run_host(PluginHost* host) { co_return co_await host->run(); }

  TaskGroup* group_ = nullptr;
};

}  // namespace fermata

#endif  // TESTS_STAGES_TESTING_RELOAD_FIXTURE_H_
