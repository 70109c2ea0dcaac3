#pragma once

// fermata.yaml as a typed value. Every key is optional; an unknown key, a wrong type or an absurd
// number is an error that names file:line:column. Any text may hold ${file:/path} and ${env:NAME},
// see secrets.h; an address that others can reach needs TLS and a check of who calls.
// deploy/fermata.yaml shows every key with its default. Read once at start by fermatad, then
// constant: any thread may read it.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/config/isolation_config.h"

namespace fermata {

// Which files of the plugin folder may run: those that only root and the server's user can have
// written, or, besides, only those that plugins.lock names.
enum class PluginTrust { kOwner, kLock };

struct CanaryConfig {
  std::vector<int64_t> steps;  // percent of new attempts, ascending; empty: no canary
  absl::Duration step_time = absl::Seconds(30);
  int64_t attempts = 50;    // that must have ended in each step
  double error_points = 5;  // worse than the old version by more than that: rolled back
};

struct PluginsConfig {
  std::string folder;                         // "": no plugins
  std::map<std::string, std::string> config;  // plugin name -> its configuration as JSON text
  bool watch = false;                         // load what is dropped into the folder later
  absl::Duration drain = absl::Minutes(10);   // for calls of a version that goes
  absl::Duration rollback_window = absl::Minutes(10);  // the version before stays ready so long
  PluginTrust trust = PluginTrust::kOwner;
  std::string lock;    // plugins.lock; needed with kLock
  std::string denied;  // where roll-backs are remembered; "": they are not
  std::string admin;   // Unix socket for `fermata plugin`; "": none
  CanaryConfig canary;
  std::map<std::string, PluginIsolation> isolation;  // plugin name -> how it runs
  std::string host;                                  // fermata-plugin-host; "": beside fermatad
  std::string state;  // folder for what it remembers of crashes; "": nothing
};

struct LimitsConfig {
  int64_t jobs = 100000;                           // unfinished jobs in memory
  uint64_t bytes = uint64_t{1} << 30;              // their payloads and results
  int64_t window = 10000;                          // pending in memory; the store has the rest
  uint64_t payload = uint64_t{4} << 20;            // one job's input
  int64_t fan_out = 10000;                         // items of one `each`
  int64_t running = 10000;                         // jobs running at once
  int64_t calls = 20000;                           // RPCs in progress, those that wait for jobs too
  int64_t watchers = 10000;                        // of these, streams of events
  int64_t principal_calls = 10000;                 // of one principal; 0: no limit of its own
  int64_t principal_watchers = 5000;               // likewise
  uint64_t call_bytes = uint64_t{256} << 20;       // requests not yet taken, answers not yet sent
  uint64_t transport_bytes = uint64_t{512} << 20;  // buffers of all connections
};

struct ConnectionsConfig {
  int64_t streams = 4096;  // calls at once on one connection; more wait in the client
  absl::Duration handshake = absl::Seconds(10);
  absl::Duration idle = absl::Minutes(15);        // without a call, then it is closed
  absl::Duration age = absl::InfiniteDuration();  // then it is closed when its calls have ended
};

// PEM files, read again when they change.
struct TlsConfig {
  std::string certificate;  // the chain, the server's own first; "": no TLS
  std::string key;
  std::string client_ca;  // "": clients are not asked for a certificate
  bool require_client_certificate = false;
};

struct AuthConfig {
  std::string tokens_file;  // "": nobody is asked who they are
};

struct AuditConfig {
  std::string to;                            // a file, "stderr", or "": no audit log
  uint64_t file_bytes = uint64_t{64} << 20;  // then a new file is begun
  int64_t files = 4;                         // kept, the one being written among them
};

struct RetentionConfig {  // of finished jobs
  int64_t jobs = 100000;
  uint64_t bytes = uint64_t{256} << 20;
  absl::Duration age = absl::Hours(24);
};

// When a submit is answered, and what of the job outlives the process.
enum class DurabilityChoice {
  kDurable,  // when it is on disk
  kRelaxed,  // at once; a crash may lose the last moments
  kMemory,   // at once; a restart loses it
};

struct StoreConfig {
  std::string directory;                 // "": everything is in memory
  uint64_t bytes = uint64_t{256} << 30;  // its file at most; then it is as if the disk were full
  DurabilityChoice durability = DurabilityChoice::kDurable;  // of queues that do not say
};

struct QueueConfig {
  DurabilityChoice durability = DurabilityChoice::kDurable;
};

struct HealthConfig {
  absl::Duration loop_lag = absl::Seconds(2);  // by which the loop may be late and still be ready
};

struct ShutdownConfig {
  absl::Duration pause = absl::ZeroDuration();  // not serving by health, but still taking jobs
  absl::Duration drain = absl::Seconds(30);     // for running jobs to finish
};

enum class LogLevel { kDebug, kInfo, kWarning, kError };
enum class LogFormat { kText, kJson };

struct LogConfig {
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kText;
};

// What the daemon's event loop waits with; kAuto: the best that the kernel offers.
enum class LoopChoice { kAuto, kEpoll, kIoUring };

struct Config {
  std::string listen = "127.0.0.1:7450";   // host:port or unix:/path
  std::string metrics = "127.0.0.1:9464";  // host:port; "": no metrics endpoint
  PluginsConfig plugins;
  std::string pipelines_folder;  // "": no named pipelines
  bool allow_insecure_public = false;
  TlsConfig tls;
  AuthConfig auth;
  AuditConfig audit;
  ConnectionsConfig connections;
  LimitsConfig limits;
  RetentionConfig retention;
  StoreConfig store;
  std::map<std::string, QueueConfig> queues;  // by name; others are as `store` says
  HealthConfig health;
  ShutdownConfig shutdown;
  LogConfig log;
  LoopChoice loop = LoopChoice::kAuto;
  int offload_threads = 4;
  std::vector<std::string> secrets;  // every text that came from a reference, for redactor.h
};

// `text` as if it were the file `filename`. Folders that are relative stay as they are written.
absl::StatusOr<Config> parse_config(std::string_view text, std::string_view filename);

// Reads the file; relative folders are resolved against the folder the file is in.
absl::StatusOr<Config> load_config(const std::string& path);

}  // namespace fermata
