#include "services/cli/options.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "services/cli/cat.h"
#include "services/cli/list_states.h"
#include "services/config/duration.h"
#include "services/config/nearest_name.h"

namespace fermata::cli {
namespace {

constexpr char kFooter[] = R"(
`fermata plugin --help` shows what can be done to the plugins of a server on this machine.
WORK is a pipeline of the server (scrape), a pipeline file (./scrape.yaml) or one stage (http/get).
Examples:
  fermata run scrape --input '{"urls": ["http://127.0.0.1:8080/"]}'
  fermata run http/get --set url=http://127.0.0.1:8080/ --local
  fermata list --state FAILED --label tenant=acme
  fermata plugin check ./mine.so        plugin files, without a server: fermata plugin --help

Exit codes: 0 done, or the job succeeded; 1 the job failed; 2 wrong usage; 3 the job was cancelled;
4 its timeout passed; 5 the server refused the request; 6 no server; 7 a defect;
8 the result could not be written to stdout; 130 interrupted.
Environment: FERMATA_SERVER, FERMATA_CONFIG, FERMATA_TOKEN, FERMATA_TOKEN_FILE, FERMATA_TLS_CA,
FERMATA_TLS_CERT, FERMATA_TLS_KEY, NO_COLOR.)";

// CLI11 keeps what a validator returns: an empty string means fine.
std::string check_duration(std::string& text) {
  const auto duration = parse_duration(text);
  if (!duration.ok()) return std::string(duration.status().message());
  return *duration > absl::ZeroDuration() ? "" : "expected more than 0, as in 30s";
}

std::string check_pair(std::string& text) {
  const size_t equals = text.find('=');
  if (equals != std::string::npos && equals > 0) return "";
  return cat("expected KEY=VALUE, got '", text, "'");
}

std::string check_state(std::string& text) {
  text = absl::AsciiStrToUpper(text);
  for (const std::string& state : job_states()) {
    if (text == state) return "";
  }
  return cat("expected one of ", absl::StrJoin(job_states(), ", "), ", got '", text, "'");
}

CLI::Validator validator(std::string (*check)(std::string&)) { return CLI::Validator(check, ""); }

void add_work(CLI::App* app, Options* options, std::string* timeout) {
  WorkOptions& work = options->work;
  app->add_option("work", work.work, "pipeline, pipeline file or stage")
      ->required()
      ->type_name("WORK");
  app->add_option("-i,--input", work.input, "the input: JSON text, @FILE, or - for stdin")
      ->type_name("JSON");
  app->add_option("--set", work.set, "one member of the input; VALUE is JSON, else a string")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false)
      ->transform(validator(check_pair));
  app->add_option("-l,--label", work.labels, "a label to find the job by")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false)
      ->transform(validator(check_pair));
  app->add_option("--queue", work.queue, "the queue it waits in")->type_name("NAME");
  app->add_option("--priority", work.priority, "higher goes first, -1000 to 1000")
      ->type_name("N")
      ->check(CLI::Range(-1000, 1000));
  app->add_option("--timeout", *timeout, "the longest the job may take, as in 30s")
      ->type_name("DURATION")
      ->transform(validator(check_duration));
  app->add_option("--request-id", work.request_id, "makes a repeated request harmless")
      ->type_name("ID");
}

void add_local(CLI::App* app, LocalOptions* local) {
  app->add_flag("--local", local->enabled, "run it in this process, without a server");
  app->add_option("--config", local->config, "with --local: a fermata.yaml")->type_name("FILE");
  app->add_option("--plugins", local->plugins, "with --local: the folder of plugins")
      ->type_name("DIR");
  app->add_option("--pipelines", local->pipelines, "with --local: the folder of pipelines")
      ->type_name("DIR");
}

void add_list(CLI::App* app, ListOptions* list) {
  app->add_option("-s,--state", list->states, "jobs in this state; may be given again")
      ->type_name("STATE")
      ->allow_extra_args(false)
      ->transform(validator(check_state));
  app->add_option("-p,--pipeline", list->pipeline, "jobs of this pipeline")->type_name("NAME");
  app->add_option("--stage", list->stage, "jobs of this bare stage")->type_name("NAME");
  app->add_option("--queue", list->queue, "jobs of this queue")->type_name("NAME");
  app->add_option("-l,--label", list->labels, "jobs with this label")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false)
      ->transform(validator(check_pair));
  app->add_option("--filter", list->filter, "an AIP-160 filter, joined by AND with the above")
      ->type_name("FILTER");
  app->add_option("-n,--limit", list->limit, "at most so many, newest first; 0 means all")
      ->type_name("N")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
}

void add_job(CLI::App* app, Options* options, bool many) {
  auto* option = app->add_option("job", options->names, "jobs/ID, or the ID alone")->required();
  option->type_name(many ? "JOB..." : "JOB");
  if (!many) option->expected(1);
}

void add_store(CLI::App* app, StoreOptions* store) {
  app->add_option(
         "action", store->action,
         "verify: read and check everything; stats: what is in it; backup: copy it, also "
         "while a server runs; restore: copy a backup to where there is no store; compact: "
         "give free space back, without a server")
      ->required()
      ->type_name("ACTION")
      ->check(CLI::IsMember({"verify", "stats", "backup", "restore", "compact"}));
  app->add_option("directory", store->directory, "store.directory of fermata.yaml, or a backup")
      ->required()
      ->type_name("DIR");
  app->add_option("target", store->target, "where backup and restore copy it")->type_name("TO");
}

void add_global(CLI::App* app, Options* options) {
  app->add_option("--server", options->server, "host:port or unix:/path")
      ->type_name("ADDRESS")
      ->capture_default_str();
  app->add_flag("--json", options->json, "one JSON document, or one a line for streams");
  app->add_flag("-q,--quiet", options->quiet, "no progress");
  app->add_option("--color", options->color, "auto, always or never")
      ->type_name("WHEN")
      ->transform(
          CLI::CheckedTransformer(std::map<std::string, ColorMode>{{"auto", ColorMode::kAuto},
                                                                   {"always", ColorMode::kAlways},
                                                                   {"never", ColorMode::kNever}},
                                  CLI::ignore_case))
      ->default_str("auto");
}

void add_connection(CLI::App* app, ConnectionOptions* connection) {
  const auto file = [&](const char* name, std::string& value, const char* about) {
    app->add_option(name, value, about)->type_name("FILE");
  };
  app->add_flag("--tls", connection->tls, "TLS, by the system's certificate authorities");
  file("--tls-ca", connection->tls_ca, "TLS, by the authorities in this PEM file");
  file("--tls-cert", connection->tls_cert, "this client's certificate; with --tls-key");
  file("--tls-key", connection->tls_key, "its private key");
  file("--token-file", connection->token_file, "a file with the token to send");
}

void add_token(CLI::App* app, TokenOptions* token) {
  CLI::App* fresh = app->add_subcommand("new", "make a token: print it, and its entry");
  app->require_subcommand(1);
  fresh->fallthrough();
  fresh->add_option("--principal", token->principal, "who will use it")
      ->required()
      ->type_name("NAME");
  fresh->add_option("--queue", token->queue, "the queue of its first grant")->type_name("GLOB");
  fresh->add_option("--expires", token->expires, "as in 2027-01-31T00:00:00Z")->type_name("TIME");
}

std::string in_quotes(std::string_view value) {
  return cat("\"", absl::StrReplaceAll(std::string(value), {{"\\", "\\\\"}, {"\"", "\\\""}}), "\"");
}

const std::vector<std::string>& command_names() {
  static const std::vector<std::string> kNames = {"run",     "submit", "get",    "list",
                                                  "watch",   "cancel", "delete", "pipelines",
                                                  "plugins", "plugin", "store",  "token"};
  return kNames;
}

// The parser only says that a command is missing; this names the word that was taken for one.
std::string unknown_command(int argc, const char* const* argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool takes_value = word == "--server" || word == "--color" || word == "--token-file" ||
                             word.rfind("--tls-", 0) == 0;
    if (takes_value) {
      ++i;
    } else if (word.empty() || word[0] != '-') {
      const auto& known = command_names();
      if (std::find(known.begin(), known.end(), word) != known.end()) return "";
      return cat("no command '", word, "'", did_you_mean(word, known));
    }
  }
  return "";
}

// What the parser alone cannot say.
std::string contradiction(const Options& options) {
  const LocalOptions& local = options.local;
  if (!local.enabled && !(local.plugins + local.pipelines).empty()) {
    return "--plugins and --pipelines need --local: a server has its own";
  }
  const StoreOptions& store = options.store;
  const bool copies = store.action == "backup" || store.action == "restore";
  if (copies && store.target.empty()) {
    return cat("store ", store.action, " needs two directories: from where, and to where");
  }
  if (!copies && !store.target.empty()) {
    return cat("store ", store.action, " needs one directory, got '", store.target, "' too");
  }
  const ConnectionOptions& connection = options.connection;
  if (connection.tls_cert.empty() != connection.tls_key.empty()) {
    return "--tls-cert and --tls-key go together";
  }
  if (options.only_result && options.only_input) {
    return "--result and --input exclude each other";
  }
  return "";
}

}  // namespace

std::variant<Options, ParseStop> parse_options(int argc, const char* const* argv,
                                               const OptionsEnvironment& environment) {
  Options options;
  options.server = environment.server.empty() ? kDefaultServer : environment.server;
  options.connection = environment.connection;
  std::string timeout;

  CLI::App app("fermata: submit jobs to fermatad, watch them, stop them", "fermata");
  app.footer(kFooter);
  app.set_version_flag("--version", "fermata 0.1.0");
  app.require_subcommand(1);
  app.fallthrough();
  add_global(&app, &options);
  add_connection(&app, &options.connection);
  const auto command = [&](Command value, const char* name, const char* about) {
    CLI::App* sub = app.add_subcommand(name, about);
    sub->fallthrough();
    sub->callback([&options, value] { options.command = value; });
    return sub;
  };

  CLI::App* run =
      command(Command::kRun, "run", "submit a job, show its progress, print its result");
  add_work(run, &options, &timeout);
  add_local(run, &options.local);
  add_work(command(Command::kSubmit, "submit", "submit a job and print its name"), &options,
           &timeout);
  CLI::App* get = command(Command::kGet, "get", "show one job");
  add_job(get, &options, false);
  get->add_flag("--result", options.only_result, "print the result and nothing else");
  get->add_flag("--input", options.only_input, "print the input and nothing else");
  add_list(command(Command::kList, "list", "show jobs, newest first"), &options.list);
  CLI::App* watch = command(Command::kWatch, "watch", "follow a job until it ends");
  add_job(watch, &options, false);
  watch->add_option("--after", options.after_sequence, "only what came after this sequence")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber);
  CLI::App* cancel = command(Command::kCancel, "cancel", "stop jobs");
  add_job(cancel, &options, true);
  cancel->add_flag("--wait", options.wait, "return when they have stopped");
  add_job(command(Command::kDelete, "delete", "forget finished jobs"), &options, true);
  command(Command::kPipelines, "pipelines", "show the server's pipelines, or one of them")
      ->add_option("pipeline", options.names, "its name")
      ->type_name("NAME")
      ->expected(0, 1);
  command(Command::kPlugins, "plugins", "show the server's plugins, the refused ones too");
  add_store(command(Command::kStore, "store", "look after a store's directory, without a server"),
            &options.store);

  add_token(command(Command::kTokenNew, "token", "make tokens for callers"), &options.token);

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success&) {
    // --help and --version: the text of the deepest command that was named.
    CLI::App* asked = app.get_subcommands().empty() ? &app : app.get_subcommands().front();
    const bool version = app.count("--version") > 0;
    return ParseStop{ExitCode::kOk, version ? "fermata 0.1.0\n" : asked->help()};
  } catch (const CLI::ParseError& error) {
    const std::string unknown = unknown_command(argc, argv);
    return ParseStop{ExitCode::kUsage, cat("fermata: ", unknown.empty() ? error.what() : unknown,
                                           "\nSee fermata --help\n")};
  }
  if (!timeout.empty()) options.work.timeout = *parse_duration(timeout);
  if (options.local.config.empty()) options.local.config = environment.config;
  ConnectionOptions& connection = options.connection;
  connection.tls |= !connection.tls_ca.empty() || !connection.tls_cert.empty();
  if (const std::string wrong = contradiction(options); !wrong.empty()) {
    return ParseStop{ExitCode::kUsage, cat("fermata: ", wrong, "\n")};
  }
  return options;
}

std::optional<std::string> list_filter(const ListOptions& options) {
  std::vector<std::string> conditions;
  if (!options.states.empty()) {
    std::vector<std::string> states;
    for (const std::string& state : options.states) states.push_back("state = " + state);
    conditions.push_back(absl::StrJoin(states, " OR "));
  }
  const auto add = [&](std::string_view field, std::string_view value) {
    if (!value.empty()) conditions.push_back(cat(field, " = ", in_quotes(value)));
  };
  add("pipeline", options.pipeline);
  add("stage", options.stage);
  add("queue", options.queue);
  for (const std::string& label : options.labels) {
    const size_t equals = label.find('=');
    if (equals == std::string::npos) return std::nullopt;
    conditions.push_back(
        cat("labels.", label.substr(0, equals), " = ", in_quotes(label.substr(equals + 1))));
  }
  if (!options.filter.empty()) conditions.push_back(options.filter);
  return absl::StrJoin(conditions, " AND ");
}

}  // namespace fermata::cli
