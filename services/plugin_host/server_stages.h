// ServerStages: the server's stages, as a plugin in this process calls them.
//
// A name is not known here, so every name can be called; whether there is such a stage comes back
// with the result. Loop thread only.
#ifndef SERVICES_PLUGIN_HOST_SERVER_STAGES_H_
#define SERVICES_PLUGIN_HOST_SERVER_STAGES_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "services/stages/running_call.h"

namespace fermata {

class PluginServer;

class ServerStages {
 public:
  // Names that are remembered; a plugin that makes them up gets no further.
  static constexpr size_t kNamesMax = 10000;

  explicit ServerStages(PluginServer& server);
  ServerStages(const ServerStages&) = delete;
  ~ServerStages();

  Callee* stage(std::string_view use);  // null: too many names
  void ended(uint64_t id, std::string_view payload);
  void chunk(uint64_t id, std::string_view bytes);

 private:
  class ServerStage;
  class ServerCall;

  PluginServer& server_;
  std::map<std::string, std::unique_ptr<ServerStage>, std::less<>> stages_;
  absl::flat_hash_map<uint64_t, std::unique_ptr<ServerCall>> calls_;
  uint64_t next_ = 1;
};

}  // namespace fermata

#endif  // SERVICES_PLUGIN_HOST_SERVER_STAGES_H_
