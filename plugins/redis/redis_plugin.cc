// redis: a stage that sends one command to a Redis server.
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "plugins/redis/connection.h"
#include "plugins/redis/options.h"
#include "plugins/redis/reply.h"
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
    "address": {"type": "string", "description": "host:port or unix:/path"},
    "username": {"type": "string"},
    "password": {"type": "string", "description": "as ${file:…} or ${env:…}"},
    "database": {"type": "integer", "minimum": 0, "default": 0},
    "max_connections": {"type": "integer", "minimum": 1, "default": 8},
    "max_waiting": {"type": "integer", "minimum": 0, "default": 1000},
    "connect_timeout": {"type": "string", "default": "5s"},
    "max_command": {"type": ["string", "integer"], "default": "4MiB"},
    "max_reply": {"type": ["string", "integer"], "default": "4MiB"},
    "allow_commands": {
      "type": "array", "items": {"type": "string"}, "default": [],
      "description": "nothing else may be sent; empty: all that do not change the connection"
    }
  }
})";

constexpr char kCommandInput[] = R"({
  "type": "object",
  "additionalProperties": false,
  "required": ["command"],
  "properties": {
    "command": {
      "type": "array", "minItems": 1, "items": {"type": ["string", "number"]},
      "description": "[\"SET\", \"key\", \"value\"]"
    },
    "timeout": {"type": "string", "default": "30s", "description": "for all of it"},
    "encoding": {
      "enum": ["auto", "base64"], "default": "auto",
      "description": "auto: text that is not UTF-8 is {\"base64\": …}; base64: all text is"
    }
  }
})";

// Not idempotent: that is up to the command.
class Command {
 public:
  Command(redis::Config config, Resolver resolver, Instance& instance)
      : config_(std::move(config)),
        resolver_(std::move(resolver)),
        pool_({"redis connections", config_.connections_max, config_.waiting_max}),
        commands_(instance.counter("redis_commands_total",
                                   "commands by how they ended; lost: no reply", {"end"})),
        connects_(instance.counter("redis_connects_total", "connections made")) {}

  static const StageSpec& spec() {
    static const StageSpec spec = {"command", "send a command to Redis", kConfigSchema,
                                   kCommandInput, 0};
    return spec;
  }
  static absl::StatusOr<std::unique_ptr<Command>> create(Instance& instance,
                                                         std::string_view config) {
    absl::StatusOr<redis::Config> parsed = redis::read_config(config);
    if (!parsed.ok()) return parsed.status();
    absl::StatusOr<Resolver> resolver = Resolver::make();
    if (!resolver.ok()) return resolver.status();
    return std::make_unique<Command>(*std::move(parsed), *std::move(resolver), instance);
  }

  Co<absl::StatusOr<std::string>> run(Call& call) {
    const absl::StatusOr<redis::Request> request = redis::read_request(call.input(), config_);
    if (!request.ok()) co_return request.status();
    const absl::StatusOr<std::unique_ptr<redis::Reply>> reply =
        co_await timeout(request->timeout, ask(*request));
    const bool got = reply.ok();
    if (!got) commands_.add(1, {"lost"});
    if (absl::IsDeadlineExceeded(reply.status())) {
      co_return absl::UnavailableError(str_cat("redis ", request->name(), ": not done after ",
                                               format_duration(request->timeout), " (timeout)"));
    }
    if (!got) co_return reply.status();
    const bool refused = (*reply)->kind == redis::Reply::Kind::kError;
    commands_.add(1, {refused ? "error" : "ok"});
    if (refused) co_return redis::status_of_error(request->name(), (*reply)->text);
    std::string out = "{\"reply\":";
    redis::append_reply(**reply, request->base64, &out);
    out += '}';
    co_return out;
  }

 private:
  using Connections = Pool<redis::Connection>;

  Co<absl::StatusOr<std::unique_ptr<redis::Reply>>> ask(const redis::Request& request) {
    Connections::Lease lease = co_await Try(pool_.acquire());
    if (lease.get() != nullptr && !lease->usable()) lease.drop();
    if (lease.get() == nullptr) {
      connects_.add();
      std::unique_ptr<redis::Connection> made =
          co_await Try(redis::Connection::open(config_, resolver_));
      lease.set(std::move(made));
    }
    std::unique_ptr<redis::Reply> reply =
        co_await Try(lease->ask(request.command, config_.reply_bytes_max));
    lease.keep();
    co_return std::move(reply);
  }

  const redis::Config config_;
  Resolver resolver_;
  Connections pool_;
  PluginCounter commands_;
  PluginCounter connects_;
};

}  // namespace
}  // namespace fermata

FERMATA_PLUGIN("dev.fermata.redis", "1.0.0", fermata::Command);
