// PluginServer: the other end of IsolatedPlugin: one plugin's stages, run for the server.
//
// It runs the very classes that run stages in the server (StageInstance, StageCall, the host table)
// on its own loop, so a plugin sees no difference: its timers, descriptors and threads are here,
// and only calls, their results and what they say cross the socket. The server is trusted; the
// plugin shares this process, so nothing here is protected from it. Loop thread only.
#ifndef SERVICES_PLUGIN_HOST_PLUGIN_SERVER_H_
#define SERVICES_PLUGIN_HOST_PLUGIN_SERVER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "services/async/async.h"
#include "services/plugin_host/server_stages.h"
#include "services/stages/inproc_generation.h"
#include "services/stages/isolated/frame_channel.h"
#include "services/stages/isolated/messages.h"
#include "services/stages/loaded_plugin.h"
#include "services/stages/stage_instance.h"

namespace fermata {

struct PluginServerOptions {
  std::string file;     // the name the plugin is known by
  std::string library;  // what is loaded
  std::string plugin_id;
  std::string version;
  int64_t cancel_grace_ns = 5'000'000'000;
  int64_t busy_poll_ns = 0;  // for the next call, before sleeping (reply_pace.h)
  uint32_t chunk_credit = 16;
  uint64_t payload_max = uint64_t{64} << 20;
  absl::Status confined;  // not OK: nothing is loaded, and the server is told why
};

class PluginServer final : private FrameChannel::Sink {
 public:
  PluginServer(Loop& loop, int socket, PluginServerOptions options);
  PluginServer(const PluginServer&) = delete;
  PluginServer& operator=(const PluginServer&) = delete;
  ~PluginServer();

  //   wakes when   the server said close, and everything was stopped and told; or the plugin was
  //                refused. When the server goes away, the process ends at once.
  //   on cancel    never happens
  //   on shutdown  never happens
  Co<absl::Status> run();

  void send(FrameType type, uint64_t call, std::string_view payload) {
    channel_.send(type, call, payload);
  }

 private:
  class ServedCall;
  struct OwnTimer : Timer {
    explicit OwnTimer(PluginServer& server) noexcept
        : Timer(&PluginServer::metrics_due), server(server) {}
    PluginServer& server;
  };

  void on_frame(const Frame& frame) noexcept override;
  void on_closed(const absl::Status& why) noexcept override;
  void start(uint64_t number, std::string_view payload);
  Co<absl::Status> load();
  Co<void> create();
  Co<void> flush();
  void send_metrics();
  static void metrics_due(Timer& timer) noexcept;
  void log(const StageLogRecord& record);

  Loop& loop_;
  const PluginServerOptions options_;
  HostContext context_;
  FrameChannel channel_;
  ServerStages server_stages_;
  std::shared_ptr<LoadedPlugin> plugin_;
  std::shared_ptr<InprocGeneration> generation_;
  std::vector<std::string> configs_;
  absl::flat_hash_map<uint64_t, std::unique_ptr<ServedCall>> calls_;
  std::vector<std::string> sent_metrics_;  // by stage, as they were sent last
  Event asked_;                            // to create, or to close
  bool create_asked_ = false;
  bool close_asked_ = false;
  OwnTimer timer_{*this};
};

}  // namespace fermata

#endif  // SERVICES_PLUGIN_HOST_PLUGIN_SERVER_H_
