#include "services/config/config.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "absl/strings/numbers.h"
#include "services/config/config_security.h"
#include "services/config/secrets.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"
#include "services/config/yaml_reader.h"

namespace fermata {
namespace {

constexpr int64_t kMillion = 1000000;
constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr size_t kMaxFile = 1 << 20;

// host:port, [v6]:port, or unix:/path
bool is_address(std::string_view text, bool unix_socket) {
  if (unix_socket && text.substr(0, 5) == "unix:") {
    // The kernel's limit for a socket's path is 107 bytes.
    return text.size() > 6 && text[5] == '/' && text.size() - 5 <= 107;
  }
  size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  std::string_view host = text.substr(0, colon);
  std::string_view port = text.substr(colon + 1);
  bool v6 = host.front() == '[' && host.back() == ']';
  if (!v6 && host.find(':') != std::string_view::npos) return false;
  uint32_t number = 0;
  return port.find_first_not_of("0123456789") == std::string_view::npos &&
         absl::SimpleAtoi(for_absl(port), &number) && number <= 65535;
}

std::string address(YamlReader& reader, std::string_view key, const std::string& fallback,
                    bool unix_socket, bool may_be_empty) {
  std::string text = reader.text(key, fallback);
  if (text.empty() ? may_be_empty : is_address(text, unix_socket)) return text;
  const YamlNode* node = reader.find(key);
  reader.error(*node, key, unix_socket ? "host:port or unix:/path" : "host:port, or \"\" for none");
  return fallback;
}

// "1, 10, 100"
void read_steps(YamlReader& canary, std::vector<int64_t>& out) {
  const YamlNode* node = canary.find("steps");
  if (node == nullptr || node->is_null()) return;
  JsonDocument document;
  const JsonValue steps = yaml_to_json(*node, document.GetAllocator());
  bool good = steps.IsArray() && steps.Size() <= 100;
  for (rapidjson::SizeType i = 0; good && i < steps.Size(); ++i) {
    good = steps[i].IsInt64() && steps[i].GetInt64() >= 1 && steps[i].GetInt64() <= 100 &&
           (out.empty() || out.back() < steps[i].GetInt64());
    if (good) out.push_back(steps[i].GetInt64());
  }
  if (!good) canary.error(*node, "steps", "percents from 1 to 100, ascending, as in [1, 10, 100]");
}

void read_canary(YamlReader canary, CanaryConfig& out) {
  read_steps(canary, out.steps);
  out.step_time = canary.duration("step_time", out.step_time, {absl::Seconds(1), absl::Hours(24)});
  out.attempts = canary.integer("attempts", out.attempts, {1, kMillion});
  out.error_points = canary.number("error_points", out.error_points, {0, 100});
  canary.finish();
}

void read_plugins(YamlErrors& errors, YamlReader plugins, PluginsConfig& out) {
  out.folder = plugins.text("folder", out.folder);
  out.watch = plugins.boolean("watch", out.watch);
  out.drain = plugins.duration("drain", out.drain, {absl::ZeroDuration(), absl::Hours(24)});
  out.rollback_window = plugins.duration("rollback_window", out.rollback_window,
                                         {absl::ZeroDuration(), absl::Hours(24 * 7)});
  out.trust = plugins.choice<PluginTrust>(
      "trust", out.trust, {{"owner", PluginTrust::kOwner}, {"lock", PluginTrust::kLock}});
  out.lock = plugins.text("lock", out.lock);
  out.denied = plugins.text("denied", out.denied);
  out.admin = plugins.text("admin", out.admin);
  if (out.trust == PluginTrust::kLock && out.lock.empty()) {
    plugins.error(*plugins.find("trust"), "trust",
                  "owner, or lock together with plugins.lock, the file that names what may run");
  }
  read_canary(plugins.child("canary"), out.canary);
  if (const YamlNode* config = plugins.find("config"); config != nullptr && !config->is_null()) {
    if (config->kind != YamlNode::Kind::kMapping) {
      plugins.error(*config, "config", "a mapping of plugin names to their configuration");
    }
    for (const YamlMember& member : config->members) {
      JsonDocument document;
      JsonValue value = yaml_to_json(*member.value, document.GetAllocator());
      if (value.IsNull()) value.SetObject();
      if (!value.IsObject()) {
        plugins.error(*member.value, str_cat("config.", member.key), "a mapping");
      }
      out.config[member.key] = to_json(value);
    }
  }
  out.isolation = read_isolation(errors, plugins);
  out.host = plugins.text("host", out.host);
  out.state = plugins.text("state", out.state);
  plugins.finish();
}

void read_limits(YamlReader limits, LimitsConfig& out) {
  out.jobs = limits.integer("jobs", out.jobs, {1, 100 * kMillion});
  out.bytes = limits.bytes("bytes", out.bytes, {kMiB, kMiB << 20});
  out.window = limits.integer("window", out.window, {1, 10 * kMillion});
  out.payload = limits.bytes("payload", out.payload, {1, 1024 * kMiB});
  out.fan_out = limits.integer("fan_out", out.fan_out, {1, 10 * kMillion});
  out.running = limits.integer("running", out.running, {1, 10 * kMillion});
  out.calls = limits.integer("calls", out.calls, {1, 10 * kMillion});
  out.watchers = limits.integer("watchers", out.watchers, {0, 10 * kMillion});
  out.principal_calls = limits.integer("principal_calls", out.principal_calls, {0, 10 * kMillion});
  out.principal_watchers =
      limits.integer("principal_watchers", out.principal_watchers, {0, 10 * kMillion});
  out.call_bytes = limits.bytes("call_bytes", out.call_bytes, {kMiB, kMiB << 20});
  out.transport_bytes = limits.bytes("transport_bytes", out.transport_bytes, {kMiB, kMiB << 20});
  if (out.payload > out.bytes) {
    const YamlNode* node = limits.find("payload");
    if (node == nullptr) node = limits.find("bytes");
    limits.error(*node, "payload", "a size of at most limits.bytes");
  }
  limits.finish();
}

void read_retention(YamlReader retention, RetentionConfig& out) {
  out.jobs = retention.integer("jobs", out.jobs, {0, 100 * kMillion});
  out.bytes = retention.bytes("bytes", out.bytes, {0, kMiB << 20});
  out.age = retention.duration("age", out.age, {absl::Seconds(1), absl::Hours(24 * 365)});
  retention.finish();
}

DurabilityChoice durability(YamlReader& reader, DurabilityChoice otherwise) {
  return reader.choice<DurabilityChoice>("durability", otherwise,
                                         {{"durable", DurabilityChoice::kDurable},
                                          {"relaxed", DurabilityChoice::kRelaxed},
                                          {"memory", DurabilityChoice::kMemory}});
}

void read_store(YamlReader store, StoreConfig& out) {
  out.directory = store.text("directory", out.directory);
  out.bytes = store.bytes("bytes", out.bytes, {kMiB, kMiB << 24});
  out.durability = durability(store, out.durability);
  store.finish();
}

// Each of them in a store that keeps jobs, or there would be nothing to choose.
void read_queues(YamlReader& reader, Config& out) {
  const YamlNode* node = reader.find("queues");
  YamlReader queues = reader.child("queues");
  if (node != nullptr && node->kind == YamlNode::Kind::kMapping) {
    for (const YamlMember& member : node->members) {
      YamlReader queue = queues.child(member.key);
      QueueConfig& config = out.queues[member.key];
      config.durability = durability(queue, out.store.durability);
      if (out.store.directory.empty() && config.durability != DurabilityChoice::kMemory) {
        queue.error(*member.value, "durability",
                    "memory, because there is no store.directory to keep jobs in");
      }
      queue.finish();
    }
  }
  queues.finish();
}

void read_health(YamlReader health, HealthConfig& out) {
  out.loop_lag =
      health.duration("loop_lag", out.loop_lag, {absl::Milliseconds(100), absl::Hours(1)});
  health.finish();
}

void read_shutdown(YamlReader shutdown, ShutdownConfig& out) {
  YamlRange<absl::Duration> range = {absl::ZeroDuration(), absl::Hours(24)};
  out.pause = shutdown.duration("pause", out.pause, range);
  out.drain = shutdown.duration("drain", out.drain, range);
  shutdown.finish();
}

void read_log(YamlReader log, LogConfig& out) {
  out.level = log.choice<LogLevel>("level", out.level,
                                   {{"debug", LogLevel::kDebug},
                                    {"info", LogLevel::kInfo},
                                    {"warning", LogLevel::kWarning},
                                    {"error", LogLevel::kError}});
  out.format = log.choice<LogFormat>("format", out.format,
                                     {{"text", LogFormat::kText}, {"json", LogFormat::kJson}});
  log.finish();
}

std::string below(const std::string& file, const std::string& folder) {
  if (folder.empty() || folder[0] == '/') return folder;
  size_t slash = file.rfind('/');
  return slash == std::string::npos ? folder : file.substr(0, slash + 1) + folder;
}

}  // namespace

absl::StatusOr<Config> parse_config(std::string_view text, std::string_view filename) {
  Config config;
  absl::StatusOr<YamlFile> file = parse_yaml(text, filename);
  if (!file.ok()) return file.status();
  YamlErrors errors(filename);
  file->root = resolve_secrets(file->root, errors, &config.secrets);
  YamlReader reader(errors, *file->root, "");
  config.listen = address(reader, "listen", config.listen, true, false);
  config.metrics = address(reader, "metrics", config.metrics, false, true);
  read_plugins(errors, reader.child("plugins"), config.plugins);
  YamlReader pipelines = reader.child("pipelines");
  config.pipelines_folder = pipelines.text("folder", config.pipelines_folder);
  pipelines.finish();
  read_tls(reader.child("tls"), config.tls);
  read_auth(reader.child("auth"), config.auth);
  read_audit(reader.child("audit"), config.audit);
  read_connections(reader.child("connections"), config.connections);
  config.allow_insecure_public =
      reader.boolean("allow_insecure_public", config.allow_insecure_public);
  check_public(reader, config);
  read_limits(reader.child("limits"), config.limits);
  read_retention(reader.child("retention"), config.retention);
  read_store(reader.child("store"), config.store);
  read_queues(reader, config);
  read_health(reader.child("health"), config.health);
  read_shutdown(reader.child("shutdown"), config.shutdown);
  read_log(reader.child("log"), config.log);
  config.loop = reader.choice<LoopChoice>("loop", config.loop,
                                          {{"auto", LoopChoice::kAuto},
                                           {"epoll", LoopChoice::kEpoll},
                                           {"io_uring", LoopChoice::kIoUring}});
  config.offload_threads =
      static_cast<int>(reader.integer("offload_threads", config.offload_threads, {1, 256}));
  reader.finish();
  if (!errors.ok()) return errors.status();
  return config;
}

absl::StatusOr<Config> load_config(const std::string& path) {
  struct stat found = {};
  if (stat(path.c_str(), &found) != 0) {
    return absl::NotFoundError(
        str_cat(path, ": expected a configuration file, got: ", std::strerror(errno)));
  }
  if (!S_ISREG(found.st_mode)) {
    return absl::InvalidArgumentError(str_cat(path, ": expected a file, got something else"));
  }
  std::ifstream stream(path, std::ios::binary);
  std::string text(kMaxFile + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad() || !stream.is_open()) {
    return absl::PermissionDeniedError(str_cat(path, ": expected a readable file"));
  }
  text.resize(static_cast<size_t>(stream.gcount()));
  absl::StatusOr<Config> config = parse_config(text, path);
  if (!config.ok()) return config;
  for (std::string* file :
       {&config->plugins.folder, &config->plugins.lock, &config->plugins.denied,
        &config->plugins.admin, &config->plugins.host, &config->plugins.state}) {
    *file = below(path, *file);
  }
  config->pipelines_folder = below(path, config->pipelines_folder);
  config->store.directory = below(path, config->store.directory);
  for (std::string* file : {&config->tls.certificate, &config->tls.key, &config->tls.client_ca,
                            &config->auth.tokens_file}) {
    *file = below(path, *file);
  }
  if (config->audit.to != "stderr") config->audit.to = below(path, config->audit.to);
  return config;
}

}  // namespace fermata
