#include "services/plugin_host/serve.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <string>

#include "CLI/CLI.hpp"
#include "services/async/async.h"
#include "services/plugin_host/plugin_server.h"
#include "services/stages/isolated/confinement.h"
#include "services/stages/isolated/crash_page.h"

namespace fermata {
namespace {

constexpr int kSocket = 3;
constexpr int kCrashPage = 4;
constexpr int kStderr = 5;
constexpr int kBadUse = 2;

struct Arguments {
  PluginServerOptions server;
  Confinement confinement;
};

int parse(int argc, char** argv, Arguments& out) {
  CLI::App app("fermata-plugin-host --serve: one plugin, for fermatad");
  bool serve = false;
  app.add_flag("--serve", serve);
  app.add_option("--file", out.server.file)->required();
  app.add_option("--library", out.server.library)->required();
  app.add_option("--id", out.server.plugin_id)->required();
  app.add_option("--version-of-plugin", out.server.version)->required();
  app.add_option("--grace-ns", out.server.cancel_grace_ns);
  app.add_option("--busy-poll-ns", out.server.busy_poll_ns);
  app.add_option("--credit", out.server.chunk_credit);
  app.add_option("--payload-max", out.server.payload_max);
  app.add_option("--memory", out.confinement.memory_bytes);
  app.add_option("--cpu", out.confinement.cpu_seconds);
  app.add_option("--descriptors", out.confinement.descriptors);
  app.add_option("--file-bytes", out.confinement.file_bytes);
  app.add_flag("--deny-syscalls", out.confinement.deny_syscalls);
  app.add_flag("--limit-files", out.confinement.limit_files);
  app.add_flag("--limit-connect", out.confinement.limit_connect);
  app.add_option("--read", out.confinement.read)->allow_extra_args(false);
  app.add_option("--write", out.confinement.write)->allow_extra_args(false);
  app.add_option("--connect", out.confinement.connect)->allow_extra_args(false);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kBadUse;
  }
  return -1;
}

// What the plugin must not find, and what its own children must not inherit.
bool take_descriptors() {
  if (::dup2(kStderr, STDERR_FILENO) < 0) return false;
  ::close(kStderr);
  ::setvbuf(stderr, nullptr, _IOLBF, 0);
  return ::fcntl(kSocket, F_SETFD, FD_CLOEXEC) == 0 &&
         ::fcntl(kCrashPage, F_SETFD, FD_CLOEXEC) == 0;
}

Co<absl::Status> serve(PluginServer& server) { co_return co_await server.run(); }

}  // namespace

int serve_main(int argc, char** argv) {
  Arguments arguments;
  if (const int code = parse(argc, argv, arguments); code >= 0) return code;
  if (!take_descriptors()) {
    std::fprintf(stderr, "fermata-plugin-host: expected descriptors 3 to 5 from fermatad\n");
    return kBadUse;
  }
  ::signal(SIGPIPE, SIG_IGN);
  absl::StatusOr<CrashPage> page = CrashPage::map(kCrashPage);
  if (!page.ok()) {
    std::fprintf(stderr, "fermata-plugin-host: %s\n", page.status().ToString().c_str());
    return kBadUse;
  }
  note_fatal_signals(page->layout());
  arguments.server.confined = confine_this_process(arguments.confinement, arguments.server.library);
  {
    EpollLoop loop;
    PluginServer server(loop, kSocket, arguments.server);
    const absl::Status ended = loop.run(&serve, std::ref(server));
    if (!ended.ok()) {
      std::fprintf(stderr, "fermata-plugin-host: %s\n", ended.ToString().c_str());
      ::_exit(1);
    }
  }
  // The plugin was stopped in good order; what its static objects do in exit() is of no interest.
  ::_exit(0);
}

}  // namespace fermata
