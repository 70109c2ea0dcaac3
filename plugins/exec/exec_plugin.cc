// exec: a stage that runs a program.
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "plugins/exec/options.h"
#include "plugins/exec/run.h"
#include "plugins/sdk/sdk.h"
#include "plugins/sdk/slots.h"

namespace fermata {
namespace {

constexpr char kConfigSchema[] = R"({
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "commands": {
      "type": "object", "additionalProperties": {"type": "string", "minLength": 1}, "default": {},
      "description": "what calls may run: name to absolute path; nothing else can be run"
    },
    "environment": {
      "type": "object", "additionalProperties": {"type": "string"},
      "default": {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"},
      "description": "of every command; nothing is inherited from the server"
    },
    "allow_environment": {
      "type": "array", "items": {"type": "string"}, "default": [],
      "description": "names of the environment that a call may set"
    },
    "folder": {"type": "string", "default": "/", "description": "where commands run"},
    "max_processes": {"type": "integer", "minimum": 1, "default": 8},
    "max_waiting": {"type": "integer", "minimum": 0, "default": 1000},
    "max_input": {"type": ["string", "integer"], "default": "4MiB"},
    "max_output": {"type": ["string", "integer"], "default": "1MiB"},
    "max_time": {"type": "string", "default": "10m"},
    "grace": {"type": "string", "default": "1s", "description": "from SIGTERM to SIGKILL; to 4s"}
  }
})";

constexpr char kRunInput[] = R"({
  "type": "object",
  "additionalProperties": false,
  "required": ["command"],
  "properties": {
    "command": {"type": "string", "minLength": 1, "description": "a name of config.commands"},
    "args": {"type": "array", "items": {"type": "string"}, "default": []},
    "stdin": {"type": "string"},
    "stdin_base64": {"type": "string"},
    "environment": {"type": "object", "additionalProperties": {"type": "string"}},
    "folder": {"type": "string", "description": "below the configured folder"},
    "timeout": {"type": "string", "description": "1m, and at most the server's max_time"},
    "max_output": {"type": ["string", "integer"], "description": "at most the server's own limit"},
    "encoding": {
      "enum": ["auto", "base64"], "default": "auto",
      "description": "auto: stdout as text if it is UTF-8, else stdout_base64"
    },
    "expect": {"enum": ["success", "any"], "default": "success"},
    "retry_codes": {
      "type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 255}, "default": [75],
      "description": "exit codes that mean: try again later"
    }
  }
})";

// Not idempotent: what the program does is between it and the caller.
class Run {
 public:
  Run(exec::Config config, Instance& instance)
      : config_(std::move(config)),
        slots_("processes", config_.processes_max, config_.waiting_max),
        runs_(instance.counter("exec_runs_total",
                               "commands by how they ended; lost: stopped, or never started",
                               {"end"})),
        running_(instance.gauge("exec_running", "commands that run now")) {}

  static const StageSpec& spec() {
    static const StageSpec spec = {"run", "run a program that the operator allows", kConfigSchema,
                                   kRunInput, 0};
    return spec;
  }
  static absl::StatusOr<std::unique_ptr<Run>> create(Instance& instance, std::string_view config) {
    absl::StatusOr<exec::Config> parsed = exec::read_config(config);
    if (!parsed.ok()) return parsed.status();
    return std::make_unique<Run>(*std::move(parsed), instance);
  }

  Co<absl::StatusOr<std::string>> run(Call& call) {
    const absl::StatusOr<exec::Request> request = exec::read_request(call.input(), config_);
    if (!request.ok()) co_return request.status();
    const absl::StatusOr<Semaphore::Permit> slot = co_await slots_.acquire();
    if (!slot.ok()) co_return slot.status();
    Counted counted(*this);
    const absl::StatusOr<exec::Result> result = co_await exec::run(config_, *request);
    if (!result.ok()) co_return result.status();
    counted.end = result->ended.ok() ? "ok" : result->ended.signal() != 0 ? "signal" : "code";
    const absl::Status judged = exec::verdict(*request, *result);
    if (!judged.ok()) co_return judged;
    co_return exec::render(*result, request->base64);
  }

 private:
  struct Counted {
    explicit Counted(Run& stage) : stage(stage) { show(); }
    Counted(const Counted&) = delete;
    ~Counted() {
      stage.runs_.add(1, {end});
      --stage.running_now_;
      stage.running_.set(static_cast<double>(stage.running_now_));
    }
    void show() {
      ++stage.running_now_;
      stage.running_.set(static_cast<double>(stage.running_now_));
    }
    Run& stage;
    std::string_view end = "lost";
  };

  const exec::Config config_;
  Slots slots_;
  PluginCounter runs_;
  PluginGauge running_;
  std::size_t running_now_ = 0;
};

}  // namespace
}  // namespace fermata

FERMATA_PLUGIN("dev.fermata.exec", "1.0.0", fermata::Run);
