#include "services/config/config.h"

#include <fstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace fermata {
namespace {

std::string error(const std::string& text) {
  return std::string(parse_config(text, "fermata.yaml").status().message());
}

void expect_defaults(const Config& config) {
  Config defaults;
  EXPECT_EQ(config.listen, defaults.listen);
  EXPECT_EQ(config.metrics, defaults.metrics);
  EXPECT_EQ(config.limits.jobs, defaults.limits.jobs);
  EXPECT_EQ(config.limits.bytes, defaults.limits.bytes);
  EXPECT_EQ(config.limits.window, defaults.limits.window);
  EXPECT_EQ(config.limits.payload, defaults.limits.payload);
  EXPECT_EQ(config.limits.fan_out, defaults.limits.fan_out);
  EXPECT_EQ(config.limits.running, defaults.limits.running);
  EXPECT_EQ(config.retention.jobs, defaults.retention.jobs);
  EXPECT_EQ(config.retention.bytes, defaults.retention.bytes);
  EXPECT_EQ(config.retention.age, defaults.retention.age);
  EXPECT_EQ(config.shutdown.pause, defaults.shutdown.pause);
  EXPECT_EQ(config.shutdown.drain, defaults.shutdown.drain);
  EXPECT_EQ(config.health.loop_lag, defaults.health.loop_lag);
  EXPECT_EQ(config.log.level, defaults.log.level);
  EXPECT_EQ(config.log.format, defaults.log.format);
  EXPECT_EQ(config.loop, defaults.loop);
  EXPECT_EQ(config.plugins.watch, defaults.plugins.watch);
  EXPECT_EQ(config.plugins.drain, defaults.plugins.drain);
  EXPECT_EQ(config.plugins.rollback_window, defaults.plugins.rollback_window);
  EXPECT_EQ(config.plugins.trust, defaults.plugins.trust);
  EXPECT_EQ(config.plugins.lock, "");
  EXPECT_EQ(config.plugins.denied, "");
  EXPECT_EQ(config.plugins.admin, "");
  EXPECT_EQ(config.plugins.canary.steps, defaults.plugins.canary.steps);
  EXPECT_EQ(config.plugins.canary.step_time, defaults.plugins.canary.step_time);
  EXPECT_EQ(config.plugins.canary.attempts, defaults.plugins.canary.attempts);
  EXPECT_EQ(config.plugins.canary.error_points, defaults.plugins.canary.error_points);
  EXPECT_EQ(config.offload_threads, defaults.offload_threads);
  EXPECT_EQ(config.store.bytes, defaults.store.bytes);
  EXPECT_EQ(config.store.durability, defaults.store.durability);
  EXPECT_TRUE(config.queues.empty());
  EXPECT_EQ(config.allow_insecure_public, defaults.allow_insecure_public);
  EXPECT_EQ(config.tls.certificate, "");
  EXPECT_EQ(config.tls.key, "");
  EXPECT_EQ(config.tls.client_ca, "");
  EXPECT_EQ(config.auth.tokens_file, "");
  EXPECT_EQ(config.audit.to, "");
  EXPECT_EQ(config.audit.file_bytes, defaults.audit.file_bytes);
  EXPECT_EQ(config.audit.files, defaults.audit.files);
  EXPECT_EQ(config.connections.streams, defaults.connections.streams);
  EXPECT_EQ(config.connections.handshake, defaults.connections.handshake);
  EXPECT_EQ(config.connections.idle, defaults.connections.idle);
  EXPECT_EQ(config.connections.age, defaults.connections.age);
  EXPECT_EQ(config.limits.calls, defaults.limits.calls);
  EXPECT_EQ(config.limits.watchers, defaults.limits.watchers);
  EXPECT_EQ(config.limits.call_bytes, defaults.limits.call_bytes);
  EXPECT_EQ(config.limits.transport_bytes, defaults.limits.transport_bytes);
}

TEST(Config, AnEmptyFileIsAllDefaults) {
  absl::StatusOr<Config> config = parse_config("# nothing\n", "fermata.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  expect_defaults(*config);
  EXPECT_EQ(config->plugins.folder, "");
}

TEST(Config, TheSampleShowsTheDefaultsAndKeepsFoldersBesideIt) {
  absl::StatusOr<Config> config = load_config("deploy/fermata.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  expect_defaults(*config);
  EXPECT_EQ(config->plugins.folder, "deploy/plugins");
  EXPECT_EQ(config->pipelines_folder, "deploy/pipelines");
  EXPECT_EQ(config->store.directory, "deploy/store");
}

TEST(Config, ReadsEveryKey) {
  absl::StatusOr<Config> config = parse_config(R"(
listen: unix:/run/fermata.sock
metrics: ""
plugins: { folder: /p, config: { http: { max_body: 8MiB, n: [1, true] }, file: } }
pipelines: { folder: q }
limits: { jobs: 1, bytes: 2MiB, window: 6, payload: 1KiB, fan_out: 3, running: 4 }
retention: { jobs: 5, bytes: 6KiB, age: 7s }
store: { directory: s, bytes: 5MiB, durability: relaxed }
queues: { a: { durability: memory }, b: { durability: durable }, c: }
health: { loop_lag: 5s }
shutdown: { pause: 1s, drain: 2m }
log: { level: debug, format: json }
loop: io_uring
offload_threads: 2
)",
                                               "fermata.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->listen, "unix:/run/fermata.sock");
  EXPECT_EQ(config->metrics, "");
  EXPECT_EQ(config->plugins.config.at("http"), R"({"max_body":"8MiB","n":[1,true]})");
  EXPECT_EQ(config->plugins.config.at("file"), "{}");
  EXPECT_EQ(config->pipelines_folder, "q");
  EXPECT_EQ(config->limits.payload, 1024u);
  EXPECT_EQ(config->limits.running, 4);
  EXPECT_EQ(config->limits.window, 6);
  EXPECT_EQ(config->retention.age, absl::Seconds(7));
  EXPECT_EQ(config->store.directory, "s");
  EXPECT_EQ(config->store.bytes, 5u << 20);
  EXPECT_EQ(config->queues.at("a").durability, DurabilityChoice::kMemory);
  EXPECT_EQ(config->queues.at("b").durability, DurabilityChoice::kDurable);
  EXPECT_EQ(config->queues.at("c").durability, DurabilityChoice::kRelaxed);
  EXPECT_EQ(config->health.loop_lag, absl::Seconds(5));
  EXPECT_EQ(config->shutdown.drain, absl::Minutes(2));
  EXPECT_EQ(config->log.level, LogLevel::kDebug);
  EXPECT_EQ(config->log.format, LogFormat::kJson);
  EXPECT_EQ(config->loop, LoopChoice::kIoUring);
  EXPECT_EQ(config->offload_threads, 2);
}

TEST(Config, ReadsHowPluginsAreReplaced) {
  absl::StatusOr<Config> config = parse_config(R"(
plugins:
  folder: /p
  watch: true
  drain: 1m
  rollback_window: 2m
  trust: lock
  lock: /etc/plugins.lock
  denied: /var/denied
  admin: /run/admin.sock
  canary: { steps: [1, 10, 100], step_time: 5s, attempts: 7, error_points: 2.5 }
)",
                                               "fermata.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  const PluginsConfig& plugins = config->plugins;
  EXPECT_TRUE(plugins.watch);
  EXPECT_EQ(plugins.drain, absl::Minutes(1));
  EXPECT_EQ(plugins.rollback_window, absl::Minutes(2));
  EXPECT_EQ(plugins.trust, PluginTrust::kLock);
  EXPECT_EQ(plugins.lock, "/etc/plugins.lock");
  EXPECT_EQ(plugins.denied, "/var/denied");
  EXPECT_EQ(plugins.admin, "/run/admin.sock");
  EXPECT_EQ(plugins.canary.steps, (std::vector<int64_t>{1, 10, 100}));
  EXPECT_EQ(plugins.canary.step_time, absl::Seconds(5));
  EXPECT_EQ(plugins.canary.attempts, 7);
  EXPECT_EQ(plugins.canary.error_points, 2.5);
}

TEST(Config, ALockIsNeededToTrustOne) {
  EXPECT_EQ(error("plugins: { trust: lock }"),
            "fermata.yaml:1:19: plugins.trust, expected owner, or lock together with plugins.lock, "
            "the file that names what may run, got 'lock'");
}

TEST(Config, CanaryStepsAscend) {
  for (const char* steps : {"[10, 1]", "[0]", "[101]", "[x]", "5"}) {
    const std::string text = error("plugins: { canary: { steps: " + std::string(steps) + " } }");
    EXPECT_NE(text.find("percents from 1 to 100, ascending"), std::string::npos) << steps << text;
  }
}

TEST(Config, MistakesNameTheirPlace) {
  EXPECT_EQ(error("lisen: x\n"), "fermata.yaml:1:1: unknown key 'lisen', did you mean 'listen'?");
  EXPECT_EQ(error("limits: { job: 1 }\n"),
            "fermata.yaml:1:11: limits: unknown key 'job', did you mean 'jobs'?");
  EXPECT_EQ(
      error("limits: { jobs: -1 }\n"),
      "fermata.yaml:1:17: limits.jobs, expected a whole number from 1 to 100000000, got '-1'");
  EXPECT_EQ(
      error("limits: { bytes: 2MiB, payload: 3MiB }\n"),
      "fermata.yaml:1:33: limits.payload, expected a size of at most limits.bytes, got '3MiB'");
  EXPECT_EQ(
      error("limits: { bytes: 2MiB }\n"),
      "fermata.yaml:1:18: limits.payload, expected a size of at most limits.bytes, got '2MiB'");
  EXPECT_EQ(error("log: { level: warn }\n"),
            "fermata.yaml:1:15: log.level, expected debug or info or warning or error, got 'warn'");
  EXPECT_EQ(error("plugins: { config: { http: 5 } }\n"),
            "fermata.yaml:1:28: plugins.config.http, expected a mapping, got '5'");
  EXPECT_EQ(error("plugins: { config: [] }\n"),
            "fermata.yaml:1:20: plugins.config, expected a mapping of plugin names to their "
            "configuration, got a list");
  EXPECT_EQ(error("queues: { a: { durability: relaxed } }\n"),
            "fermata.yaml:1:14: queues.a.durability, expected memory, because there is no "
            "store.directory to keep jobs in, got a mapping");
  EXPECT_EQ(error("store: { durability: sure }\n"),
            "fermata.yaml:1:22: store.durability, expected durable or relaxed or memory, got "
            "'sure'");
  EXPECT_EQ(error("shutdown: 5\n"), "fermata.yaml:1:11: shutdown, expected a mapping, got '5'");
}

TEST(Config, AddressesAreHostAndPort) {
  for (std::string good :
       {"127.0.0.1:0", "localhost:7450", "127.0.0.2:65535", "'[::1]:7450'", "unix:/tmp/x.sock"}) {
    EXPECT_EQ(error("listen: " + good + "\n"), "") << good;
  }
  for (std::string bad : {"7450", ":7450", "localhost", "localhost:", "a:b", "a:65536", "a:-1",
                          "::1:7450", "unix:", "unix:x", "", "[a]", "a:1.0"}) {
    EXPECT_NE(error("listen: '" + bad + "'\n").find("listen, expected "), std::string::npos) << bad;
  }
  EXPECT_EQ(error("metrics: unix:/x\n"),
            "fermata.yaml:1:10: metrics, expected host:port, or \"\" for none, got 'unix:/x'");
}

TEST(Config, FilesThatAreNoneAreNamed) {
  EXPECT_EQ(load_config("/nowhere/fermata.yaml").status().message(),
            "/nowhere/fermata.yaml: expected a configuration file, got: No such file or directory");
  EXPECT_EQ(load_config("/tmp").status().message(), "/tmp: expected a file, got something else");
  std::string path = testing::TempDir() + "/large.yaml";
  std::ofstream(path) << std::string((1 << 20) + 1, '#');
  EXPECT_EQ(load_config(path).status().message(),
            path + ":1:1: expected a file of at most 1MiB, got 1048577 bytes");
}

TEST(Config, HowAPluginIsIsolated) {
  absl::StatusOr<Config> config = parse_config(R"(
plugins:
  host: /opt/fermata/fermata-plugin-host
  state: state
  isolation:
    exif:
      { placement: isolated, busy_poll: 0s, memory: 512MiB, cpu: 1h, deny_syscalls: true,
        read: [/srv], connect: [443] }
    http: { placement: inproc }
    plain:
)",
                                               "fermata.yaml");
  ASSERT_TRUE(config.ok()) << config.status();
  const PluginIsolation& exif = config->plugins.isolation.at("exif");
  EXPECT_EQ(exif.placement, PlacementChoice::kIsolated);
  EXPECT_EQ(exif.busy_poll, absl::ZeroDuration());
  EXPECT_EQ(config->plugins.isolation.at("http").busy_poll, absl::Microseconds(100));
  EXPECT_EQ(exif.memory, uint64_t{512} << 20);
  EXPECT_EQ(exif.cpu, absl::Hours(1));
  EXPECT_TRUE(exif.deny_syscalls && exif.limit_files && exif.limit_connect);
  EXPECT_EQ(exif.read, std::vector<std::string>{"/srv"});
  EXPECT_EQ(exif.connect, std::vector<int64_t>{443});
  EXPECT_EQ(config->plugins.isolation.at("http").placement, PlacementChoice::kInproc);
  EXPECT_FALSE(config->plugins.isolation.at("http").limit_files);
  EXPECT_EQ(config->plugins.state, "state");
}

TEST(Config, AnIsolationThatMakesNoSense) {
  EXPECT_EQ(error("plugins: { isolation: { exif: { placement: jail } } }").find("fermata.yaml:1:"),
            0u);
  for (const char* wrong :
       {"read: [relative/path]", "connect: [0]", "connect: [http]", "environment: [LD_PRELOAD]",
        "environment: ['A=b']", "memory: 1KiB", "read: /srv", "busy_poll: 1s", "no_such: 1"}) {
    const std::string text = std::string("plugins: { isolation: { exif: { ") + wrong + " } } }";
    EXPECT_NE(error(text).find("plugins.isolation.exif"), std::string::npos)
        << wrong << ": " << error(text);
  }
}

}  // namespace
}  // namespace fermata
