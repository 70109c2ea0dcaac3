// PluginAdmin: the way in for `fermata plugin list|reload|rollback|allow`: a Unix socket on which a
// peer of the same user, or root, sends one line and reads the answer. No RPC loads code.
//
//   list            one line for each version of each plugin
//   reload [FILE]   takes up a file of the folder again, or all of them
//   rollback ID     back to the version before; the other is denied
//   allow SHA256    may be loaded again
//
// The answer's first line is "ok" or "error", then come lines of text, then the end. One peer at a
// time, each at most kPeerTime. Loop thread only; close() removes the socket's file.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/async/async.h"
#include "services/stages/file_descriptor.h"
#include "services/stages/plugin_host.h"

namespace fermata {

class PluginAdmin {
 public:
  static constexpr size_t kMaxRequest = 4096;
  // A reload waits for probes and create().
  static constexpr absl::Duration kPeerTime = absl::Minutes(2);

  // `path` is at most 107 bytes; a socket that nobody listens on any more is replaced.
  static absl::StatusOr<std::unique_ptr<PluginAdmin>> open(const std::string& path,
                                                           PluginHost& host);
  ~PluginAdmin();
  PluginAdmin(const PluginAdmin&) = delete;

  // Until it is cancelled.
  Co<absl::Status> serve();

 private:
  PluginAdmin(std::string path, FileDescriptor listener, PluginHost& host)
      : path_(std::move(path)), listener_(std::move(listener)), host_(host) {}
  static Co<void> answer_peer(PluginAdmin* self, int fd);
  Co<std::string> answer(std::string request);
  Co<std::string> reload(std::string file);
  std::string list() const;

  const std::string path_;
  const FileDescriptor listener_;
  PluginHost& host_;
};

}  // namespace fermata
