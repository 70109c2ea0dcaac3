// postgres: a stage that runs one SQL statement.
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "plugins/postgres/options.h"
#include "plugins/postgres/session.h"
#include "plugins/sdk/pool.h"
#include "plugins/sdk/sdk.h"
#include "services/config/duration.h"
#include "services/config/str_cat.h"

namespace fermata {
namespace {

constexpr char kConfigSchema[] = R"({
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "host": {"type": "string", "description": "a name, an address, or the folder of a socket"},
    "port": {"type": "integer", "minimum": 1, "maximum": 65535, "default": 5432},
    "database": {"type": "string", "description": "the user's name without it"},
    "user": {"type": "string"},
    "password": {"type": "string", "description": "as ${file:…} or ${env:…}"},
    "tls": {
      "enum": ["disable", "prefer", "require", "verify-ca", "verify-full"], "default": "prefer"
    },
    "ca_file": {"type": "string", "description": "PEM certificates to trust"},
    "max_connections": {"type": "integer", "minimum": 1, "default": 8},
    "max_waiting": {"type": "integer", "minimum": 0, "default": 1000},
    "connect_timeout": {"type": "string", "default": "5s"},
    "max_time": {
      "type": "string", "default": "5m", "description": "also the server's own statement_timeout"
    },
    "max_rows": {"type": "integer", "minimum": 1, "default": 10000},
    "max_bytes": {"type": ["string", "integer"], "default": "8MiB"},
    "reset": {
      "type": "boolean", "default": true,
      "description": "DISCARD ALL before a connection is used again"
    }
  }
})";

constexpr char kQueryInput[] = R"({
  "type": "object",
  "additionalProperties": false,
  "required": ["sql"],
  "properties": {
    "sql": {"type": "string", "minLength": 1, "description": "one statement; $1, $2, … in it"},
    "parameters": {
      "type": "array", "default": [],
      "description": "the values of $1, $2, …; objects and arrays as JSON"
    },
    "timeout": {"type": "string", "description": "30s, and at most the server's max_time"},
    "max_rows": {"type": "integer", "minimum": 1},
    "max_bytes": {"type": ["string", "integer"]}
  }
})";

// Not idempotent: that is up to the statement.
class Query {
 public:
  Query(postgres::Config config, Resolver resolver, Instance& instance)
      : config_(std::move(config)),
        resolver_(std::move(resolver)),
        instance_(instance),
        pool_({"postgres connections", config_.connections_max, config_.waiting_max}),
        statements_(
            instance.counter("postgres_statements_total", "statements by how they ended", {"end"})),
        cancels_(instance.counter("postgres_cancels_total", "statements stopped in the middle")),
        connects_(instance.counter("postgres_connects_total", "connections made")) {}

  static const StageSpec& spec() {
    static const StageSpec spec = {"query", "run one SQL statement in PostgreSQL", kConfigSchema,
                                   kQueryInput, 0};
    return spec;
  }
  static absl::StatusOr<std::unique_ptr<Query>> create(Instance& instance,
                                                       std::string_view config) {
    absl::StatusOr<postgres::Config> parsed = postgres::read_config(config);
    if (!parsed.ok()) return parsed.status();
    absl::StatusOr<Resolver> resolver = Resolver::make();
    if (!resolver.ok()) return resolver.status();
    return std::make_unique<Query>(*std::move(parsed), *std::move(resolver), instance);
  }

  Co<absl::StatusOr<std::string>> run(Call& call) {
    const absl::StatusOr<postgres::Request> request = postgres::read_request(call.input(), config_);
    if (!request.ok()) co_return request.status();
    absl::StatusOr<std::string> out = co_await timeout(request->timeout, ask(*request));
    statements_.add(1, {out.ok() ? "ok" : "error"});
    if (!absl::IsDeadlineExceeded(out.status()) || !at_our_own_hand(out.status())) {
      co_return std::move(out);
    }
    co_return absl::UnavailableError(str_cat("postgres: not done after ",
                                             format_duration(request->timeout),
                                             " (timeout); the statement was cancelled"));
  }

 private:
  using Sessions = Pool<postgres::Session>;

  // What PostgreSQL says about a statement_timeout begins with its name.
  static bool at_our_own_hand(const absl::Status& status) {
    return !from_absl(status.message()).starts_with("postgres:");
  }

  // A statement that nobody waits for any more. It keeps the place in the pool until the server has
  // been told, so there are never more of these than connections.
  struct Abandoned {
    Abandoned(Sessions::Lease lease, postgres::CancelHandle cancel)
        : lease(std::move(lease)), cancel(std::move(cancel)) {}
    Sessions::Lease lease;
    postgres::CancelHandle cancel;
  };
  static Co<void> stop(std::unique_ptr<Abandoned> abandoned) {
    abandoned->lease.drop();
    co_await offload(&postgres::send_cancel, abandoned->cancel.get());
  }

  // Lives while a statement may run; wherever its frame ends, the statement ends too.
  struct Running {
    Running(Query& stage, Sessions::Lease& lease) : stage(stage), lease(lease) {}
    Running(const Running&) = delete;
    ~Running() {
      if (lease.get() == nullptr || !lease->busy()) return;
      postgres::CancelHandle cancel = lease->cancel_handle();
      if (cancel == nullptr) return;
      stage.cancels_.add();
      stage.instance_.spawn("postgres-cancel", &Query::stop,
                            std::make_unique<Abandoned>(std::move(lease), std::move(cancel)));
    }
    Query& stage;
    Sessions::Lease& lease;
  };

  Co<absl::StatusOr<std::string>> ask(const postgres::Request& request) {
    Sessions::Lease lease = co_await Try(pool_.acquire());
    Running running(*this, lease);
    if (lease.get() != nullptr && !lease->usable()) lease.drop();
    if (lease.get() != nullptr && config_.reset) {
      const absl::Status fresh = co_await lease->reset();
      if (!fresh.ok()) lease.drop();
    }
    if (lease.get() == nullptr) {
      connects_.add();
      std::unique_ptr<postgres::Session> made =
          co_await Try(postgres::Session::open(config_, resolver_));
      lease.set(std::move(made));
    }
    absl::StatusOr<std::string> out = co_await lease->query(request);
    if (lease->usable()) lease.keep();
    co_return std::move(out);
  }

  const postgres::Config config_;
  Resolver resolver_;
  Instance& instance_;
  Sessions pool_;
  PluginCounter statements_;
  PluginCounter cancels_;
  PluginCounter connects_;
};

}  // namespace
}  // namespace fermata

FERMATA_PLUGIN("dev.fermata.postgres", "1.0.0", fermata::Query);
