// plugins.lock: which plugin files may run, by the hash of their bytes. With `plugins.trust: lock`
// nothing else is ever loaded, whoever can write the plugin folder.
//
//   plugins:
//     9f2c...64 hex digits...: { id: org.example.fetch, version: 1.2.0 }
//
// The server only reads it: it belongs to whoever decides, as /etc does. A value; reading and
// writing block and belong on a worker thread.
#ifndef SERVICES_STAGES_PLUGINS_LOCK_H_
#define SERVICES_STAGES_PLUGINS_LOCK_H_

#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/stages/plugin_note.h"

namespace fermata {

class PluginsLock {
 public:
  struct Entry {
    std::string id;
    std::string version;
  };

  // INVALID_ARGUMENT with file:line:column.
  static absl::StatusOr<PluginsLock> parse(std::string_view text, std::string_view file);
  // PLG-130 when others may write it. A missing file is an error: nothing would be allowed.
  static absl::StatusOr<PluginsLock> load(const std::string& path);

  // PLG-131 when these bytes are not in it, or are there as another plugin.
  absl::Status check(std::string_view file, std::string_view sha256, const PluginNote& note) const;
  size_t size() const { return entries_.size(); }

 private:
  std::map<std::string, Entry, std::less<>> entries_;  // by sha256
};

// Adds a plugin file to the lock, which is made if it is not there. Gives what was added, for
// people; the static checks' refusal if the file is no plugin.
absl::StatusOr<std::string> allow_in_lock(const std::string& lock, const std::string& file,
                                          std::string_view bytes);

// With trust=lock, what the environment puts into every process must not count as trusted: an error
// that names LD_PRELOAD, LD_LIBRARY_PATH or LD_AUDIT when it is set.
absl::Status check_loader_environment();

}  // namespace fermata

#endif  // SERVICES_STAGES_PLUGINS_LOCK_H_
