// jq: a stage that runs a jq program over a value.
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "plugins/jq/options.h"
#include "plugins/jq/program.h"
#include "plugins/sdk/sdk.h"
#include "plugins/sdk/slots.h"
#include "services/config/duration.h"
#include "services/config/str_cat.h"

namespace fermata {
namespace {

constexpr char kConfigSchema[] = R"({
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "max_time": {"type": "string", "default": "5s"},
    "max_bytes": {"type": ["string", "integer"], "default": "4MiB"},
    "max_results": {"type": "integer", "minimum": 1, "default": 10000},
    "max_programs": {
      "type": "integer", "minimum": 1, "default": 64, "description": "compiled ones that are kept"
    },
    "max_runs": {"type": "integer", "minimum": 1, "default": 4, "description": "at once"},
    "max_waiting": {"type": "integer", "minimum": 0, "default": 1000}
  }
})";

constexpr char kRunInput[] = R"({
  "type": "object",
  "additionalProperties": false,
  "required": ["program"],
  "properties": {
    "program": {"type": "string", "minLength": 1, "description": ".items[] | {id, total}"},
    "input": {"description": "what . is at the beginning; null without it"},
    "variables": {"type": "object", "description": "what $vars holds"},
    "timeout": {"type": "string", "description": "1s, and at most the server's max_time"},
    "max_bytes": {"type": ["string", "integer"], "description": "at most the server's own limit"}
  }
})";

using ProgramPtr = std::unique_ptr<jq::Program>;

// [worker]
absl::StatusOr<ProgramPtr> compile(const std::string* text) { return jq::Program::compile(*text); }
absl::StatusOr<std::string> run_program(jq::Program* program, const jq::Request* request) {
  return program->run(request->input, request->variables, request->limits);
}

class Run {
 public:
  Run(const jq::Config& config, Instance& instance)
      : config_(config),
        slots_("jq programs", config.runs_max, config.waiting_max),
        runs_(instance.counter("jq_runs_total", "programs by how they ended", {"end"})),
        compiles_(instance.counter("jq_compiles_total", "programs compiled")) {}

  static const StageSpec& spec() {
    static const StageSpec spec = {"run", "run a jq program over a value", kConfigSchema, kRunInput,
                                   FERMATA_STAGE_IDEMPOTENT};
    return spec;
  }
  static absl::StatusOr<std::unique_ptr<Run>> create(Instance& instance, std::string_view config) {
    const absl::StatusOr<jq::Config> parsed = jq::read_config(config);
    if (!parsed.ok()) return parsed.status();
    return std::make_unique<Run>(*parsed, instance);
  }

  Co<absl::StatusOr<std::string>> run(Call& call) {
    const absl::StatusOr<jq::Request> request = jq::read_request(call.input(), config_);
    if (!request.ok()) co_return request.status();
    const absl::StatusOr<Semaphore::Permit> slot = co_await slots_.acquire();
    if (!slot.ok()) co_return slot.status();
    ProgramPtr program = take(request->program);
    if (program == nullptr) {
      compiles_.add();
      const std::string* text = &request->program;
      absl::StatusOr<ProgramPtr> compiled = co_await offload(&compile, text);
      if (!compiled.ok()) co_return compiled.status();
      program = *std::move(compiled);
    }
    Running running(*program);
    std::variant<absl::StatusOr<std::string>, std::monostate> first =
        co_await race(evaluate(&running, &*request), stop_in_time(&running, request->timeout));
    if (first.index() == 1) {
      runs_.add(1, {"timeout"});
      co_return absl::DeadlineExceededError(str_cat("jq: not done after ",
                                                    format_duration(request->timeout),
                                                    " (timeout); the program was stopped"));
    }
    absl::StatusOr<std::string>& out = std::get<0>(first);
    runs_.add(1, {out.ok() ? "ok" : "error"});
    if (program->reusable()) keep(request->program, std::move(program));
    co_return std::move(out);
  }

 private:
  // A program on its way; whoever gives up first halts it, once.
  struct Running {
    explicit Running(jq::Program& program) : program(program) {}
    void halt() {
      if (!std::exchange(over, true)) program.halt();
    }
    jq::Program& program;
    bool over = false;
  };
  struct HaltAtEnd {
    explicit HaltAtEnd(Running& running) : running(running) {}
    HaltAtEnd(const HaltAtEnd&) = delete;
    ~HaltAtEnd() { running.halt(); }
    Running& running;
  };

  static Co<absl::StatusOr<std::string>> evaluate(Running* running, const jq::Request* request) {
    jq::Program* program = &running->program;
    absl::StatusOr<std::string> out = co_await offload(&run_program, program, request);
    running->over = true;
    co_return std::move(out);
  }
  // Its frame goes when the time is over, and at once when the call is cancelled, while the other
  // one waits for the worker.
  static Co<void> stop_in_time(Running* running, absl::Duration limit) {
    HaltAtEnd halt(*running);
    co_await sleep(limit);
  }

  struct Kept {
    std::string text;
    ProgramPtr program;
  };
  ProgramPtr take(const std::string& text) {
    for (auto kept = kept_.begin(); kept != kept_.end(); ++kept) {
      if (kept->text != text) continue;
      ProgramPtr program = std::move(kept->program);
      kept_.erase(kept);
      return program;
    }
    return nullptr;
  }
  void keep(const std::string& text, ProgramPtr program) {
    kept_.push_front({text, std::move(program)});
    if (kept_.size() > config_.programs_max) kept_.pop_back();
  }

  const jq::Config config_;
  Slots slots_;
  std::list<Kept> kept_;  // most recently used first; several of one text when they ran at once
  PluginCounter runs_;
  PluginCounter compiles_;
};

}  // namespace
}  // namespace fermata

FERMATA_PLUGIN("dev.fermata.jq", "1.0.0", fermata::Run);
