#pragma once

// The command line of `fermata`, parsed and checked. Nothing here does anything yet:
// parse_options() is a pure function of its arguments and of the environment it is handed.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "services/cli/exit_code.h"
#include "services/cli/terminal.h"

namespace fermata::cli {

enum class Command {
  kRun,
  kSubmit,
  kGet,
  kList,
  kWatch,
  kCancel,
  kDelete,
  kPipelines,
  kPlugins,
  kStore,
  kTokenNew,
};

// How to reach the server, and as whom.
struct ConnectionOptions {
  bool tls = false;      // set by any of the next three, too
  std::string tls_ca;    // PEM; "": the system's authorities
  std::string tls_cert;  // PEM, the client's own; with tls_key
  std::string tls_key;
  std::string token_file;  // "": `token`
  std::string token;       // from the environment only: the command line is seen by everybody
};

// `token new`.
struct TokenOptions {
  std::string principal;
  std::string queue;
  std::string expires;  // RFC 3339; "": never
};

// What to run and how: `run` and `submit`.
struct WorkOptions {
  std::string work;   // "scrape", "./scrape.yaml", "http/get"
  std::string input;  // JSON text, "@file" or "-"
  std::vector<std::string> set;
  std::vector<std::string> labels;
  std::string queue;
  std::string request_id;
  int32_t priority = 0;
  absl::Duration timeout = absl::InfiniteDuration();
};

struct LocalOptions {
  bool enabled = false;
  std::string config;     // a fermata.yaml
  std::string plugins;    // a folder; overrides the file's
  std::string pipelines;  // a folder; overrides the file's
};

struct ListOptions {
  std::vector<std::string> states;
  std::string pipeline;
  std::string stage;
  std::string queue;
  std::vector<std::string> labels;
  std::string filter;
  int limit = 20;
};

struct StoreOptions {
  std::string action;  // verify, stats, backup, restore, compact
  std::string directory;
  std::string target;  // of backup and restore
};

struct Options {
  Command command = Command::kList;
  std::string server;
  bool json = false;
  bool quiet = false;
  ColorMode color = ColorMode::kAuto;
  ConnectionOptions connection;
  TokenOptions token;
  WorkOptions work;
  LocalOptions local;
  ListOptions list;
  StoreOptions store;
  std::vector<std::string> names;  // jobs of get, watch, cancel, delete; the pipeline of pipelines
  int64_t after_sequence = 0;
  bool only_result = false;
  bool only_input = false;
  bool wait = false;
};

// Nothing to do but to print: help, version or what is wrong with the arguments.
struct ParseStop {
  ExitCode code = ExitCode::kUsage;
  std::string text;  // for stdout when the code is kOk, for stderr otherwise
};

inline constexpr char kDefaultServer[] = "127.0.0.1:7450";

struct OptionsEnvironment {
  std::string server;  // FERMATA_SERVER
  std::string config;  // FERMATA_CONFIG
  // FERMATA_TLS_CA, FERMATA_TLS_CERT, FERMATA_TLS_KEY, FERMATA_TOKEN_FILE, FERMATA_TOKEN
  ConnectionOptions connection = {};
};

std::variant<Options, ParseStop> parse_options(int argc, const char* const* argv,
                                               const OptionsEnvironment& environment);

// The filter of List that says what `options` say: `state = FAILED AND pipeline = scrape`.
// Nothing when a label has no "=".
std::optional<std::string> list_filter(const ListOptions& options);

}  // namespace fermata::cli
