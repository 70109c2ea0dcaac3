// fermatad --config FILE: the server.
//
// Exit codes: 0 ended as asked, or the check found nothing; 1 could not start, or failed; 2 bad
// arguments or configuration; 130 second signal; 131 the drain got stuck.
#include <sys/resource.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "CLI/CLI.hpp"
#include "services/async/async.h"
#include "services/config/config.h"
#include "services/config/planted_bug.h"
#include "services/config/str_cat.h"
#include "services/fermatad/daemon.h"
#include "services/fermatad/log.h"
#include "services/fermatad/placements.h"
#include "services/fermatad/private_folder.h"
#include "services/fermatad/signals.h"
#include "services/fermatad/version.h"
#include "services/stages/crash_memory.h"
#include "services/stages/current_call.h"

namespace fermata {
namespace {

constexpr int kFailed = 1;
constexpr int kBadUse = 2;

void complain(std::string_view what) {
  std::fprintf(stderr, "fermatad: %.*s\n", static_cast<int>(what.size()), what.data());
}

void say(std::string_view what) {
  std::fprintf(stdout, "%.*s\n", static_cast<int>(what.size()), what.data());
  std::fflush(stdout);
}

std::string text_of(const absl::Status& status) {
  return std::string(status.message().data(), status.message().size());
}

// Loads everything and says what it found.
Co<absl::Status> check(Daemon& daemon) {
  absl::Status status = co_await daemon.load();
  const Redactor& redactor = daemon.redactor();
  for (const std::string& refusal : daemon.refusals()) complain(redactor.redact(refusal));
  if (status.ok()) status = daemon.check_files();
  co_await daemon.close();
  if (!status.ok()) co_return status;
  say(str_cat("plugins: ", daemon.plugin_count(), " loaded, ", daemon.refusals().size(),
              " refused; pipelines: ", daemon.pipeline_count()));
  if (!daemon.refusals().empty()) co_return absl::FailedPreconditionError("plugins were refused");
  co_return absl::OkStatus();
}

void greet(const Daemon& daemon) { say(daemon.greeting()); }

Co<absl::Status> serve(Daemon& daemon) {
  if (kPlantedBug != PlantedBug::kNone) {
    log_error("this build has a bug in it on purpose, to test the test rigs: it must not serve");
  }
  const Watchdog watchdog(Watchdog::Options(),
                          [](const Watchdog::Report& report) { log_warning(report.to_string()); });
  const CurrentCall* const loop_call = &CurrentCall::here();
  const Watchdog hangs(Watchdog::Options{CrashMemory::kHang, 1},
                       [loop_call](const Watchdog::Report&) {
                         const std::string hang = CrashMemory::note_hang(*loop_call);
                         if (!hang.empty()) log_error(hang);
                       });
  absl::Status status = co_await daemon.load();
  if (status.ok()) status = daemon.open();
  if (status.ok()) status = co_await daemon.serve(&greet);
  co_await daemon.close();
  co_return status;
}

// Each connection and each stage's socket needs one. Services are often started with 1024.
void raise_descriptor_limit() {
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    log_warning(str_cat("cannot raise the limit on descriptors: ", std::strerror(errno)));
  }
}

std::unique_ptr<KernelLoop> loop_for(const Config& config) {
  LoopKind kind = LoopKind::kAuto;
  if (config.loop == LoopChoice::kEpoll) kind = LoopKind::kEpoll;
  if (config.loop == LoopChoice::kIoUring) kind = LoopKind::kIoUring;
  std::string why;
  std::unique_ptr<KernelLoop> loop =
      make_loop(kind, static_cast<std::size_t>(config.offload_threads), &why);
  const std::string told = str_cat("the loop runs on ", loop->kind(), ": ", why);
  if (kind == LoopKind::kIoUring && loop->kind() != std::string_view("io_uring")) {
    log_warning(told);
  } else {
    log_info(told);
  }
  return loop;
}

int run_with(const Config& config, bool only_check) {
  const absl::StatusOr<PrivateFolder> folder = PrivateFolder::make();
  if (!folder.ok()) {
    complain(text_of(folder.status()));
    return kFailed;
  }
  const std::unique_ptr<KernelLoop> loop = loop_for(config);
  absl::StatusOr<Placements> placements = make_placements(config, only_check);
  if (!placements.ok()) {
    complain(text_of(placements.status()));
    return kFailed;
  }
  Daemon daemon(*loop, config, folder->path(), *std::move(placements));
  const absl::Status status = loop->run(only_check ? &check : &serve, std::ref(daemon));
  if (status.ok()) return 0;
  complain(text_of(status));
  return kFailed;
}

int fermatad_main(int argc, char** argv) {
  const absl::Status installed = Signals::install();
  if (!installed.ok()) {
    complain(text_of(installed));
    return kFailed;
  }
  CLI::App app("fermatad, the Fermata job server: jobs over gRPC, stages from shared libraries.");
  app.set_version_flag("--version", str_cat("fermatad ", kVersion, " (", kCompiler, ")"));
  std::string file;
  bool only_check = false;
  app.add_option("--config", file, "the configuration file, fermata.yaml")
      ->required()
      ->type_name("FILE");
  app.add_flag("--check", only_check, "check configuration, plugins and pipelines, and leave");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kBadUse;
  }
  const absl::StatusOr<Config> config = load_config(file);
  if (!config.ok()) {
    complain(text_of(config.status()));
    return kBadUse;
  }
  set_up_log(config->log, config->secrets);
  raise_descriptor_limit();
  return run_with(*config, only_check);
}

}  // namespace
}  // namespace fermata

int main(int argc, char** argv) { return fermata::fermatad_main(argc, argv); }
