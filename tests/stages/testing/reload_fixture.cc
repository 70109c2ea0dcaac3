#include "tests/stages/testing/reload_fixture.h"

#include <algorithm>
#include <cstdio>
#include <iostream>

namespace fermata {

void Reload::rename(const std::string& from, const std::string& to) const {
  EXPECT_EQ(std::rename((folder() + "/" + from).c_str(), (folder() + "/" + to).c_str()), 0);
}

std::vector<std::string> Reload::states(PluginHost& host) const {
  std::vector<std::string> all;
  for (const PluginInfo& plugin : host.list()) {
    all.push_back(
        plugin.version + " " +
        (plugin.loaded ? kGenerationStateNames[static_cast<size_t>(plugin.state)] : "refused"));
  }
  std::sort(all.begin(), all.end());
  return all;
}

size_t Reload::serving(PluginHost& host) const {
  size_t count = 0;
  for (const PluginInfo& plugin : host.list()) {
    if (plugin.loaded && plugin.state != GenerationState::kRetired) ++count;
  }
  return count;
}

bool Reload::logged(const std::string& text) const {
  return std::any_of(logs.begin(), logs.end(),
                     [&](const std::string& line) { return line.find(text) != std::string::npos; });
}

Co<absl::Status> Reload::run_on_sim(Reload* test, Loop* loop, ReloadBody body) {
  PluginHost host(*loop, test->options);
  test->report = co_await host.load_all();
  for (const std::string& refusal : test->report.refusals) std::cout << refusal << std::endl;
  absl::Status status = test->report.status;
  PluginHost* running = &host;
  if (status.ok()) status = co_await with_group(&Reload::run_in_group, running, test, body);
  co_await host.close();
  co_return status;
}

Co<absl::Status> Reload::run_in_group(TaskGroup& group, PluginHost* host, Reload* test,
                                      ReloadBody body) {
  test->group_ = &group;
  group.spawn_named("plugins", &Reload::run_host, host);
  co_await yield_now();
  absl::Status status = co_await body(*host, *test);
  group.cancel(CancelReason::kShutdown);
  co_return status;
}

}  // namespace fermata
