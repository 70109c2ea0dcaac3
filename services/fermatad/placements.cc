#include "services/fermatad/placements.h"

#include <unistd.h>

#include <array>
#include <utility>

#include "services/config/str_cat.h"
#include "services/fermatad/log.h"
#include "services/stages/crash_memory.h"

namespace fermata {
namespace {

Placement placement_of(PlacementChoice choice) {
  switch (choice) {
    case PlacementChoice::kAuto:
      return Placement::kAuto;
    case PlacementChoice::kInproc:
      return Placement::kInproc;
    case PlacementChoice::kIsolated:
      return Placement::kIsolated;
  }
  return Placement::kAuto;
}

PluginPlacement placement_of(const PluginIsolation& isolation) {
  PluginPlacement out;
  out.placement = placement_of(isolation.placement);
  out.hang = isolation.hang;
  out.busy_poll = isolation.busy_poll;
  Confinement& confinement = out.confinement;
  confinement.memory_bytes = isolation.memory;
  confinement.cpu_seconds = static_cast<uint64_t>(absl::ToInt64Seconds(isolation.cpu));
  confinement.descriptors = static_cast<uint64_t>(isolation.descriptors);
  confinement.file_bytes = isolation.file_bytes;
  confinement.deny_syscalls = isolation.deny_syscalls;
  confinement.limit_files = isolation.limit_files;
  confinement.limit_connect = isolation.limit_connect;
  confinement.read = isolation.read;
  confinement.write = isolation.write;
  for (int64_t port : isolation.connect) {
    confinement.connect.push_back(static_cast<uint16_t>(port));
  }
  confinement.environment = isolation.environment;
  return out;
}

}  // namespace

std::string plugin_host_program(const Config& config) {
  std::string program = config.plugins.host;
  if (program.empty()) {
    std::array<char, 4096> self;
    const ssize_t size = ::readlink("/proc/self/exe", self.data(), self.size());
    if (size <= 0) return "";
    const std::string path(self.data(), static_cast<size_t>(size));
    const std::string beside = path.substr(0, path.rfind('/') + 1);
    program = beside + "fermata-plugin-host";
    // Where the build puts it.
    if (::access(program.c_str(), X_OK) != 0)
      program = beside + "../plugin_host/fermata-plugin-host";
  }
  return ::access(program.c_str(), X_OK) == 0 ? program : "";
}

absl::StatusOr<Placements> make_placements(const Config& config, bool only_check) {
  Placements placements;
  placements.program = plugin_host_program(config);
  if (placements.program.empty() && !config.plugins.host.empty()) {
    return absl::NotFoundError(
        str_cat("plugins.host: expected an executable program, got ", config.plugins.host));
  }
  for (const auto& [name, isolation] : config.plugins.isolation) {
    placements.plugins[name] = placement_of(isolation);
  }
  if (config.plugins.state.empty()) return placements;
  if (only_check) {
    placements.blamed = CrashMemory::peek(config.plugins.state).blamed();
    return placements;
  }
  absl::StatusOr<CrashMemory> memory = CrashMemory::open(config.plugins.state);
  if (!memory.ok()) return memory.status();
  placements.blamed = memory->blamed();
  if (memory->last()) {
    log_error(str_cat("this server ", memory->last()->to_string(),
                      "; with placement: auto that plugin runs in a process of its own from now "
                      "on (",
                      config.plugins.state, "/blamed-plugins remembers it)"));
  } else if (!memory->killed_in().empty()) {
    log_warning(str_cat(
        "this server was killed (for want of memory, or by hand) while it was in "
        "plugin ",
        memory->killed_in(), "; if that goes on, give it a process of its own: plugins.isolation"));
  }
  return placements;
}

}  // namespace fermata
