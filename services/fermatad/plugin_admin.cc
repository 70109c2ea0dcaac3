#include "services/fermatad/plugin_admin.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "services/config/str_cat.h"
#include "services/fermatad/log.h"

namespace fermata {
namespace {

std::string text_of(const absl::Status& status) {
  return std::string(status.message().data(), status.message().size());
}

std::string said(const absl::StatusOr<std::string>& outcome) {
  return outcome.ok() ? str_cat("ok\n", *outcome, "\n")
                      : str_cat("error\n", text_of(outcome.status()), "\n");
}

// One cell of a table: what is in it has no say in where it ends.
std::string cell(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return text;
}

// Empty: the peer may ask.
std::string who_may_not(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return str_cat("cannot tell who asks: ", strerror(errno));
  }
  if (peer.uid == 0 || peer.uid == geteuid()) return "";
  return str_cat("uid ", peer.uid, " may not manage plugins: only root and the server's user, uid ",
                 geteuid());
}

absl::Status cannot(std::string_view what, const std::string& path) {
  return absl::FailedPreconditionError(
      str_cat("plugins.admin: cannot ", what, " ", path, ": ", strerror(errno)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<PluginAdmin>> PluginAdmin::open(const std::string& path,
                                                               PluginHost& host) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return absl::InvalidArgumentError(str_cat("plugins.admin: ", path, " has ", path.size(),
                                              " bytes, a socket's path at most ",
                                              sizeof address.sun_path - 1));
  }
  path.copy(address.sun_path, path.size());
  const auto* const name = reinterpret_cast<const sockaddr*>(&address);
  FileDescriptor probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (probe.ok() && connect(probe.get(), name, sizeof address) == 0) {
    return absl::FailedPreconditionError(
        str_cat("plugins.admin: another server answers on ", path));
  }
  struct stat info;
  if (lstat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) (void)unlink(path.c_str());
  FileDescriptor listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener.ok() || bind(listener.get(), name, sizeof address) != 0) {
    return cannot("bind", path);
  }
  // For this user; the peer's credentials are checked all the same.
  if (chmod(path.c_str(), 0600) != 0 || ::listen(listener.get(), 8) != 0) {
    return cannot("listen on", path);
  }
  return std::unique_ptr<PluginAdmin>(new PluginAdmin(path, std::move(listener), host));
}

PluginAdmin::~PluginAdmin() { (void)unlink(path_.c_str()); }

Co<absl::Status> PluginAdmin::serve() {
  for (;;) {
    absl::Status ready = co_await readable(listener_.get());
    if (!ready.ok()) co_return ready;
    const FileDescriptor peer(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!peer.ok()) continue;
    absl::Status answered = co_await timeout(kPeerTime, answer_peer(this, peer.get()));
    if (!answered.ok()) log_warning(str_cat("plugins.admin: ", text_of(answered)));
  }
}

Co<void> PluginAdmin::answer_peer(PluginAdmin* self, int fd) {
  std::string reply;
  if (std::string refused = who_may_not(fd); !refused.empty()) {
    log_warning(str_cat("plugins.admin: ", refused));
    reply = str_cat("error\n", refused, "\n");
  } else {
    std::string request;
    while (request.find('\n') == std::string::npos && request.size() < kMaxRequest) {
      absl::Status ready = co_await readable(fd);
      char space[512];
      const ssize_t got = ready.ok() ? recv(fd, space, sizeof space, MSG_DONTWAIT) : 0;
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (got <= 0) break;
      request.append(space, static_cast<size_t>(got));
    }
    request.resize(std::min(request.find('\n'), request.size()));
    log_info(str_cat("plugins.admin: ", request));
    reply = co_await self->answer(std::move(request));
  }
  for (size_t sent = 0; sent < reply.size();) {
    const ssize_t n =
        send(fd, reply.data() + sent, reply.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) {
      sent += static_cast<size_t>(n);
    } else if (errno == EAGAIN) {
      absl::Status ready = co_await writable(fd);
      if (!ready.ok()) co_return;
    } else if (errno != EINTR) {
      co_return;  // the peer has left
    }
  }
}

Co<std::string> PluginAdmin::answer(std::string request) {
  const size_t space = std::min(request.find(' '), request.size());
  const std::string word = request.substr(0, space);
  std::string argument = space < request.size() ? request.substr(space + 1) : "";
  if (word == "list" && argument.empty()) co_return list();
  if (word == "reload") co_return co_await reload(std::move(argument));
  if (word == "rollback" && !argument.empty()) {
    absl::StatusOr<std::string> done =
        co_await host_.rollback(std::move(argument), "by `fermata plugin rollback`");
    co_return said(done);
  }
  if (word == "allow" && !argument.empty()) {
    absl::StatusOr<std::string> done = co_await host_.allow(std::move(argument));
    co_return said(done);
  }
  co_return "error\nexpected: list, reload [FILE], rollback ID, or allow SHA256\n";
}

Co<std::string> PluginAdmin::reload(std::string file) {
  std::vector<std::string> files;
  if (file.empty()) {
    files = host_.known_files();
  } else if (file.find('/') != std::string::npos || !is_plugin_file(file)) {
    co_return "error\nexpected the name of a file in the plugin folder, as in http.so\n";
  } else {
    files.push_back(std::move(file));
  }
  std::string lines;
  bool all = true;
  for (const std::string& name : files) {
    FileReport report = co_await host_.load_file(name, LoadReason::kAsked);
    all = all && report.status.ok();
    if (report.status.ok()) {
      str_append(&lines, name, ": ", report.id, " ", report.label, " is ",
                 kGenerationStateNames[static_cast<size_t>(report.state)],
                 report.before.empty() ? "" : str_cat(", before it ", report.before), "\n");
    } else {
      str_append(&lines, text_of(report.status), "\n");
    }
  }
  co_return str_cat(all ? "ok\n" : "error\n", lines);
}

std::string PluginAdmin::list() const {
  std::string lines = "ok\n";
  for (const PluginInfo& plugin : host_.list()) {
    const std::string id = plugin.id.empty() ? "-" : plugin.id;
    if (!plugin.loaded) {
      str_append(&lines, id, "\t-\trefused\t-\t0\t", cell(plugin.file), "\t", cell(plugin.refusal),
                 "\n");
      continue;
    }
    str_append(&lines, id, "\t", plugin.version, "+", plugin.sha256.substr(0, 8), "\t",
               kGenerationStateNames[static_cast<size_t>(plugin.state)], "\t", plugin.placement,
               "\t", plugin.calls, "\t", cell(plugin.file), "\t-\n");
  }
  return lines;
}

}  // namespace fermata
