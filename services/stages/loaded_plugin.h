// LoadedPlugin: a plugin file whose code is mapped into this process, and its descriptor, checked.
//
// Loading happens on a worker thread: constructors and relocation take as long as they take. Code
// is never unmapped again (plugins/abi/README.md says why), so a LoadedPlugin's pointers stay good
// for ever; dropping it only forgets it.
#ifndef SERVICES_STAGES_LOADED_PLUGIN_H_
#define SERVICES_STAGES_LOADED_PLUGIN_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "plugins/abi/fermata_abi.h"
#include "services/stages/plugin_note.h"
#include "services/stages/stages.h"

namespace fermata {

inline std::string_view view_of(fermata_str text) { return {text.ptr, text.len}; }
inline fermata_str str_of(std::string_view text) { return {text.data(), text.size()}; }

class LoadedPlugin {
 public:
  // Worker thread. `file` is the name it is known by, `path` what is mapped.
  static absl::StatusOr<std::unique_ptr<LoadedPlugin>> load(const std::string& file,
                                                            const std::string& path,
                                                            const PluginNote& note,
                                                            const fermata_host& host);
  // A plugin linked into the program: for tests.
  static absl::StatusOr<std::unique_ptr<LoadedPlugin>> from_descriptor(
      const std::string& file, const fermata_plugin* descriptor);

  const std::string& file() const { return file_; }
  // Where its code begins; null for a plugin that is linked in. Tells two mappings apart.
  const void* image() const { return image_; }
  std::string_view id() const { return view_of(descriptor_->id); }
  std::string_view version() const { return view_of(descriptor_->version); }
  const std::string& short_name() const { return short_name_; }
  size_t stage_count() const { return descriptor_->n_stages; }
  const fermata_stage& stage(size_t i) const { return *descriptor_->stages[i]; }
  StageInfo stage_info(size_t i) const;

  // Loop thread. The generations that run this code; false from drop_user(): there are others.
  // After the last one has gone it is stopped, and cannot be used again.
  void add_user() { ++users_; }
  bool drop_user() { return --users_ == 0; }
  bool in_use() const { return users_ > 0; }

  // Worker thread. init() has to succeed before the first create(); quiesce() and fini() come last.
  absl::Status init();
  void shut_down();

 private:
  LoadedPlugin(std::string file, const fermata_plugin* descriptor);

  std::string file_;
  std::string short_name_;
  const fermata_plugin* descriptor_;
  const void* image_ = nullptr;
  bool initialised_ = false;
  int users_ = 0;
};

// "OK", "E_UNAVAILABLE", ...: for messages.
std::string_view abi_status_name(fermata_status status);

}  // namespace fermata

#endif  // SERVICES_STAGES_LOADED_PLUGIN_H_
