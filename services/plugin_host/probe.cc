#include "services/plugin_host/probe.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/async/async.h"
#include "services/stages/host_table.h"
#include "services/stages/inproc_generation.h"
#include "services/stages/loaded_plugin.h"
#include "services/stages/plugin_probe.h"
#include "services/stages/stage_configs.h"
#include "services/stages/static_checks.h"

namespace fermata {
namespace {

// A dry call has to be quick.
constexpr absl::Duration kCallTime = absl::Seconds(5);

void tell(std::string line) {
  for (char& c : line) {
    if (c == '\n') c = ' ';
  }
  line += '\n';
  // Nobody reads any more: then nobody cares.
  (void)!::write(kProbeVerdictFd, line.data(), line.size());
}

void at(std::string_view what, std::string_view stage = {}) {
  tell(absl::StrCat("at ", std::string(what), stage.empty() ? "" : "\t", std::string(stage)));
}

std::string read_to_end(int fd) {
  std::string text;
  char space[4096];
  for (;;) {
    const ssize_t got = ::read(fd, space, sizeof space);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(space, static_cast<size_t>(got));
  }
}

// Whatever the plugin does, it does it to this process and not for long.
void confine() {
  (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
  (void)::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  const rlimit none{0, 0};
  const rlimit seconds{20, 20};
  const rlimit files{1024, 1024};
  (void)::setrlimit(RLIMIT_CORE, &none);
  (void)::setrlimit(RLIMIT_CPU, &seconds);
  (void)::setrlimit(RLIMIT_NOFILE, &files);
}

absl::StatusOr<std::unique_ptr<LoadedPlugin>> load(const std::string& path,
                                                   const std::string& file) {
  std::ifstream in(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const LibraryFinder finder;
  const std::string folder = path.substr(0, path.rfind('/'));
  absl::StatusOr<PluginNote> note =
      check_plugin_bytes(file, bytes, folder, finder, HostFacts::here());
  if (!note.ok()) return note.status();
  at("a constructor");
  absl::StatusOr<std::unique_ptr<LoadedPlugin>> plugin =
      LoadedPlugin::load(file, path, *note, host_table());
  if (!plugin.ok()) return plugin;
  at("init()");
  absl::Status ready = (*plugin)->init();
  if (!ready.ok()) return ready;
  return plugin;
}

Co<absl::Status> dry_call(PluginGeneration* generation, size_t stage) {
  const StageInfo& info = generation->stages()[stage];
  at("the probe call", info.name);
  StageRequest request;
  request.job_id = "probe";
  request.deadline = now() + kCallTime;
  request.input = "null";
  request.probe = true;
  StageOutcome outcome = co_await generation->call(stage, std::move(request));
  if (outcome.status.ok()) co_return absl::OkStatus();
  co_return refusal(
      170, absl::StrCat(info.plugin_id, "/", info.name, " ", info.version),
      absl::StrCat("probe call failed: ", absl::StatusCodeToString(outcome.status.code()), ": \"",
                   outcome.status.message(), "\""));
}

Co<absl::Status> use(PluginGeneration* generation, std::string config) {
  absl::StatusOr<std::vector<std::string>> configs = stage_configs(generation->stages(), config);
  if (!configs.ok()) co_return configs.status();
  absl::Status created = co_await generation->create(*std::move(configs));
  if (!created.ok()) co_return created;
  for (size_t i = 0; i < generation->stages().size(); ++i) {
    if (!generation->stages()[i].probes) continue;
    absl::Status called = co_await dry_call(generation, i);
    if (!called.ok()) co_return called;
  }
  co_return absl::OkStatus();
}

Co<absl::Status> probe(std::string path, std::string file, std::string config) {
  absl::StatusOr<std::unique_ptr<LoadedPlugin>> plugin = load(path, file);
  if (!plugin.ok()) co_return plugin.status();
  HostContext context(Loop::current());
  context.creating = [](const StageInfo& stage) { at("create()", stage.name); };
  context.cancel_grace_ns = absl::ToInt64Nanoseconds(absl::Seconds(2));
  std::shared_ptr<LoadedPlugin> code = *std::move(plugin);
  std::vector<StageSeries> series(code->stage_count());
  PluginIdentity identity;
  identity.id = std::string(code->id());
  identity.short_name = code->short_name();
  identity.version = std::string(code->version());
  identity.file = std::move(file);
  auto generation =
      std::make_shared<InprocGeneration>(context, code, std::move(identity), std::move(series));
  absl::Status status = co_await use(generation.get(), std::move(config));
  at("destroy()");
  co_await generation->close();
  if (status.ok() && generation->kept()) {
    status = refusal(162, generation->identity().id,
                     "destroy() was not reached: it did not let go of its ops in the probe");
  }
  co_return status;
}

}  // namespace

int probe_main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "fermata-plugin-host --probe: expected a path and a file name\n");
    return 2;
  }
  confine();
  std::string config = read_to_end(kProbeConfigFd);
  EpollLoop loop;
  const absl::Status status =
      loop.run(&probe, std::string(argv[2]), std::string(argv[3]), std::move(config));
  tell(status.ok() ? "ok" : absl::StrCat("no ", status.message()));
  // Destructors of the plugin's statics are of no interest, and may hang.
  ::_exit(0);
}

}  // namespace fermata
