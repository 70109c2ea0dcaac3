// PluginLibrary: one plugin file mapped into this process, and its entry, for tools that look
// closer than the server does: they ask for the descriptor with other hosts, load a file twice,
// unmap it.
//
// Whatever runs in the file's constructors has run when open() returns, so a tool does this in a
// process that it can lose. One thread.
#ifndef SERVICES_STAGES_PLUGIN_LIBRARY_H_
#define SERVICES_STAGES_PLUGIN_LIBRARY_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "plugins/abi/fermata_abi.h"

namespace fermata {

class PluginLibrary {
 public:
  // FailedPrecondition with the dynamic loader's own words.
  static absl::StatusOr<std::unique_ptr<PluginLibrary>> open(const std::string& path);
  // Leaves it mapped, as the server does.
  ~PluginLibrary() = default;
  PluginLibrary(const PluginLibrary&) = delete;
  PluginLibrary& operator=(const PluginLibrary&) = delete;

  // What fermata_plugin_v1 answers: null when it refuses this host.
  const fermata_plugin* describe(const fermata_host& host) const { return entry_(&host); }
  // True when its code is not mapped any more. The object is of no use afterwards.
  bool close();

 private:
  using Entry = const fermata_plugin* (*)(const fermata_host*) noexcept;
  PluginLibrary(void* library, Entry entry) : library_(library), entry_(entry) {}

  void* library_;
  Entry entry_;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_PLUGIN_LIBRARY_H_
