#include "services/stages/plugin_library.h"

#include <dlfcn.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace fermata {

absl::StatusOr<std::unique_ptr<PluginLibrary>> PluginLibrary::open(const std::string& path) {
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* message = ::dlerror();
    return absl::FailedPreconditionError(message != nullptr ? message : "no reason given");
  }
  auto entry = reinterpret_cast<Entry>(::dlsym(library, "fermata_plugin_v1"));
  if (entry == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": no symbol fermata_plugin_v1"));
  }
  return std::unique_ptr<PluginLibrary>(new PluginLibrary(library, entry));
}

bool PluginLibrary::close() {
  ::dlclose(library_);
  Dl_info info;
  return ::dladdr(reinterpret_cast<void*>(entry_), &info) == 0;
}

}  // namespace fermata
