#include "services/cli/plugin_admin.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_split.h"
#include "services/cli/cat.h"
#include "services/cli/output.h"
#include "services/cli/table.h"
#include "services/cli/text.h"
#include "services/config/config.h"
#include "services/config/json.h"
#include "services/config/private_file.h"
#include "services/config/sha256.h"
#include "services/stages/file_descriptor.h"
#include "services/stages/plugins_lock.h"
#include "services/stages/private_copy.h"

namespace fermata::cli {
namespace {

constexpr size_t kMaxAnswer = size_t{16} << 20;
// Of a line of `list`.
constexpr size_t kCells = 7;
constexpr size_t kCallsCell = 4;

// Sends the line and reads to the end. UNAVAILABLE: no server.
absl::StatusOr<std::string> ask(const std::string& path, std::string line) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return absl::InvalidArgumentError(cat(path, " is too long for a socket's path"));
  }
  path.copy(address.sun_path, path.size());
  const FileDescriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.ok() || ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return absl::UnavailableError(cat("no server on ", path, ": ", std::strerror(errno)));
  }
  line += "\n";
  if (::send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(line.size())) {
    return absl::UnavailableError(cat("the server on ", path, " has left"));
  }
  std::string answer;
  char space[4096];
  while (answer.size() < kMaxAnswer) {
    const ssize_t got = ::recv(fd.get(), space, sizeof space, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    answer.append(space, static_cast<size_t>(got));
  }
  if (answer.empty()) {
    return absl::UnavailableError(cat("the server on ", path, " left without an answer"));
  }
  return answer;
}

// Of one plugin, or one refused file. What is not known is left out.
std::string json_of(const std::vector<std::string>& cells) {
  static constexpr const char* kKeys[] = {"plugin", "version", "state",  "placement",
                                          "calls",  "file",    "refusal"};
  std::string out;
  for (size_t i = 0; i < cells.size(); ++i) {
    if (cells[i] == "-") continue;
    const std::string value = i == kCallsCell ? cells[i] : json_quote(printable(cells[i]));
    append(&out, out.empty() ? "{" : ",", json_quote(kKeys[i]), ":", value);
  }
  return out + "}\n";
}

std::string json_lines_of(std::string_view lines) {
  std::string out;
  for (absl::string_view line :
       absl::StrSplit(absl::string_view(lines.data(), lines.size()), '\n')) {
    const std::vector<std::string> cells = absl::StrSplit(line, '\t');
    if (cells.size() == kCells) out += json_of(cells);
  }
  return out;
}

std::string table_of(std::string_view lines, const Output& output) {
  Table table({{"PLUGIN"},
               {"VERSION"},
               {"STATE"},
               {"PLACEMENT"},
               {"CALLS", Table::Align::kRight},
               {"FILE"},
               {"WHY IT WAS REFUSED", Table::Align::kLeft, true}});
  for (absl::string_view line :
       absl::StrSplit(absl::string_view(lines.data(), lines.size()), '\n')) {
    const std::vector<std::string> cells = absl::StrSplit(line, '\t');
    if (cells.size() != kCells) continue;
    const Style style = cells[2] == "active"                            ? Style::kGood
                        : cells[2] == "refused" || cells[2] == "failed" ? Style::kBad
                                                                        : Style::kPlain;
    table.add_row({{printable(cells[0])},
                   {printable(cells[1])},
                   {printable(cells[2]), style},
                   {printable(cells[3])},
                   {printable(cells[4])},
                   {printable(cells[5])},
                   {printable(cells[6])}});
  }
  return table.empty() ? "no plugins\n" : table.render(output.width(), output.color());
}

ExitCode print_answer(const PluginAdminOptions& options, const std::string& answer) {
  const size_t line = std::min(answer.find('\n'), answer.size());
  const bool good = answer.substr(0, line) == "ok";
  const std::string rest = line < answer.size() ? answer.substr(line + 1) : "";
  Output output(Terminal{.fd = good ? 1 : 2});
  if (good && options.verb == "list") {
    output.write(options.json ? json_lines_of(rest) : table_of(rest, output));
  } else {
    for (absl::string_view each : absl::StrSplit(rest, '\n', absl::SkipEmpty())) {
      output.write_line(printable(std::string(each)));
    }
  }
  return end_with(good ? ExitCode::kOk : ExitCode::kRefused, output);
}

ExitCode complain(const absl::Status& status) {
  Output(Terminal{.fd = 2}).write_line(cat("fermata plugin: ", status.message()));
  return absl::IsUnavailable(status) ? ExitCode::kUnreachable : ExitCode::kUsage;
}

// Where the server is, as far as the configuration knows.
absl::Status complete(PluginAdminOptions& options) {
  if (options.config.empty()) return absl::OkStatus();
  absl::StatusOr<Config> config = load_config(options.config);
  if (!config.ok()) return config.status();
  if (options.socket.empty()) options.socket = config->plugins.admin;
  if (options.lock.empty()) options.lock = config->plugins.lock;
  return absl::OkStatus();
}

// Into plugins.lock, which the server does not write, and off the list that it keeps.
ExitCode allow(const PluginAdminOptions& options) {
  const absl::StatusOr<std::string> bytes =
      read_private_file(options.argument, FilePrivacy::kAny, kMaxPluginBytes);
  if (!bytes.ok()) return complain(absl::InvalidArgumentError(bytes.status().message()));
  const std::string sha256 = sha256_hex(*bytes);
  Output out(Terminal{.fd = 1});
  if (!options.lock.empty()) {
    absl::StatusOr<std::string> added = allow_in_lock(options.lock, options.argument, *bytes);
    if (!added.ok()) return complain(added.status());
    out.write_line(printable(*added));
  }
  if (options.socket.empty()) {
    if (!options.lock.empty()) return end_with(ExitCode::kOk, out);
    return complain(absl::InvalidArgumentError(
        "nothing to do: name the server's --config, its --admin socket, or a --lock file"));
  }
  absl::StatusOr<std::string> answer = ask(options.socket, cat("allow ", sha256));
  // With the lock written, a server that is down, or denied nothing, is no failure.
  if (!options.lock.empty() && (!answer.ok() || answer->rfind("ok", 0) != 0)) {
    return end_with(ExitCode::kOk, out);
  }
  if (!answer.ok()) return complain(answer.status());
  return print_answer(options, *answer);
}

}  // namespace

ExitCode plugin_admin(const PluginAdminOptions& given) {
  PluginAdminOptions options = given;
  if (absl::Status status = complete(options); !status.ok()) return complain(status);
  if (options.verb == "allow") return allow(options);
  if (options.socket.empty()) {
    return complain(absl::InvalidArgumentError(
        "where is the server? name its --config (with plugins.admin in it), or its --admin "
        "socket"));
  }
  std::string line = options.verb;
  if (!options.argument.empty()) line += " " + options.argument;
  absl::StatusOr<std::string> answer = ask(options.socket, std::move(line));
  if (!answer.ok()) return complain(answer.status());
  return print_answer(options, *answer);
}

}  // namespace fermata::cli
