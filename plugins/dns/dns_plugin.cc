// dns: a stage that asks the domain name system.
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plugins/dns/answer.h"
#include "plugins/dns/channel.h"
#include "plugins/dns/options.h"
#include "plugins/sdk/sdk.h"
#include "services/config/duration.h"
#include "services/config/json.h"
#include "services/config/str_cat.h"

namespace fermata {
namespace {

constexpr char kConfigSchema[] = R"({
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "servers": {
      "type": "array", "items": {"type": "string"}, "default": [],
      "description": "addresses such as 1.1.1.1:53; none: those of the machine"
    },
    "try_timeout": {"type": "string", "default": "2s", "description": "of one try at one server"},
    "tries": {"type": "integer", "minimum": 1, "default": 3},
    "max_queries": {"type": "integer", "minimum": 1, "default": 256},
    "max_waiting": {"type": "integer", "minimum": 0, "default": 10000}
  }
})";

constexpr char kResolveInput[] = R"({
  "type": "object",
  "additionalProperties": false,
  "required": ["name"],
  "properties": {
    "name": {"type": "string", "minLength": 1, "description": "for PTR also an address"},
    "type": {
      "enum": ["A", "AAAA", "CNAME", "MX", "NS", "PTR", "SRV", "TXT"], "default": "A"
    },
    "timeout": {"type": "string", "default": "10s", "description": "for all of it"},
    "expect": {
      "enum": ["found", "any"], "default": "found",
      "description": "any: that there is no such record is a result, not an error"
    }
  }
})";

class Resolve {
 public:
  Resolve(std::unique_ptr<dns::Channel> channel, Instance& instance)
      : channel_(std::move(channel)),
        answers_(instance.counter("dns_answers_total", "queries by how they ended", {"end"})) {}

  static const StageSpec& spec() {
    static const StageSpec spec = {"resolve", "records of a name", kConfigSchema, kResolveInput,
                                   FERMATA_STAGE_IDEMPOTENT};
    return spec;
  }
  static absl::StatusOr<std::unique_ptr<Resolve>> create(Instance& instance,
                                                         std::string_view config) {
    const absl::StatusOr<dns::Config> parsed = dns::read_config(config);
    if (!parsed.ok()) return parsed.status();
    absl::StatusOr<std::unique_ptr<dns::Channel>> channel = dns::Channel::make(*parsed);
    if (!channel.ok()) return channel.status();
    auto stage = std::make_unique<Resolve>(*std::move(channel), instance);
    instance.spawn("dns-sockets", dns::Channel::serve_sockets, stage->channel_.get());
    instance.spawn("dns-timer", dns::Channel::serve_timer, stage->channel_.get());
    return stage;
  }

  Co<absl::StatusOr<std::string>> run(Call& call) {
    const absl::StatusOr<dns::Request> request = dns::read_request(call.input());
    if (!request.ok()) co_return request.status();
    const absl::Time begin = now();
    const absl::StatusOr<std::vector<std::uint8_t>> bytes =
        co_await timeout(request->timeout, channel_->query(*request));
    const std::string what = str_cat("dns ", request->type_name, " ", request->name, ": ");
    if (absl::IsDeadlineExceeded(bytes.status())) {
      answers_.add(1, {"timeout"});
      co_return absl::UnavailableError(
          str_cat(what, "no answer after ", format_duration(request->timeout), " (timeout)"));
    }
    const bool none = absl::IsNotFound(bytes.status());
    if (!bytes.ok() && !none) answers_.add(1, {"error"});
    if (!bytes.ok() && !(none && request->expect_any)) co_return bytes.status();
    dns::Answer answer;
    answer.records = "[]";
    if (bytes.ok()) {
      absl::StatusOr<dns::Answer> parsed = dns::parse_answer(*bytes, request->type);
      if (!parsed.ok()) co_return parsed.status();
      answer = *std::move(parsed);
    }
    answers_.add(1, {answer.count == 0 ? "none" : "found"});
    // An alias whose end has nothing of the type is an answer without records.
    if (answer.count == 0 && !request->expect_any) {
      co_return absl::NotFoundError(str_cat(what, "no record of this type"));
    }
    co_return str_cat(
        "{\"name\":", json_quote(request->name), ",\"type\":", json_quote(request->type_name),
        ",\"found\":", answer.count == 0 ? "false" : "true", ",\"records\":", answer.records,
        ",\"canonical_name\":", answer.canonical.empty() ? "null" : json_quote(answer.canonical),
        ",\"elapsed_ms\":", absl::ToInt64Milliseconds(now() - begin), "}");
  }

 private:
  std::unique_ptr<dns::Channel> channel_;
  PluginCounter answers_;
};

}  // namespace
}  // namespace fermata

FERMATA_PLUGIN("dev.fermata.dns", "1.0.0", fermata::Resolve);
