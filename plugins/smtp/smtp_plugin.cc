// smtp: a stage that sends a message.
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "plugins/curl/multi.h"
#include "plugins/sdk/sdk.h"
#include "plugins/smtp/options.h"
#include "plugins/smtp/send.h"

namespace fermata {
namespace {

constexpr char kConfigSchema[] = R"({
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "server": {"type": "string", "description": "host:port"},
    "tls": {"enum": ["starttls", "implicit", "none"], "default": "starttls"},
    "username": {"type": "string"},
    "password": {"type": "string", "description": "as ${file:…} or ${env:…}"},
    "ca_file": {"type": "string", "description": "PEM certificates to trust"},
    "helo": {"type": "string", "description": "what this machine calls itself"},
    "from": {"type": "string", "description": "of calls that give none"},
    "allow_domains": {
      "type": "array", "items": {"type": "string"}, "default": [],
      "description": "of recipients; empty: all"
    },
    "max_recipients": {"type": "integer", "minimum": 1, "default": 50},
    "max_bytes": {"type": ["string", "integer"], "default": "10MiB"},
    "max_connections": {"type": "integer", "minimum": 1, "default": 4}
  }
})";

constexpr char kSendInput[] = R"({
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "from": {"type": "string", "description": "name@example.org"},
    "from_name": {"type": "string"},
    "to": {"type": "array", "items": {"type": "string"}, "default": []},
    "cc": {"type": "array", "items": {"type": "string"}, "default": []},
    "bcc": {"type": "array", "items": {"type": "string"}, "default": []},
    "reply_to": {"type": "string"},
    "subject": {"type": "string", "default": ""},
    "text": {"type": "string"},
    "html": {"type": "string"},
    "attachments": {
      "type": "array",
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": ["name", "content_base64"],
        "properties": {
          "name": {"type": "string", "minLength": 1},
          "type": {"type": "string", "description": "application/octet-stream without it"},
          "content_base64": {"type": "string"}
        }
      }
    },
    "timeout": {"type": "string", "default": "1m", "description": "for all of it"}
  }
})";

// Not idempotent: an attempt after a lost answer sends it twice, with the same Message-ID.
class Send {
 public:
  Send(smtp::Config config, Instance& instance)
      : config_(std::move(config)),
        messages_(instance.counter("smtp_messages_total", "messages by how they ended", {"end"})) {}

  static const StageSpec& spec() {
    static const StageSpec spec = {"send", "send a message", kConfigSchema, kSendInput, 0};
    return spec;
  }
  static absl::StatusOr<std::unique_ptr<Send>> create(Instance& instance, std::string_view config) {
    absl::StatusOr<smtp::Config> parsed = smtp::read_config(config);
    if (!parsed.ok()) return parsed.status();
    auto stage = std::make_unique<Send>(*std::move(parsed), instance);
    const long connections = stage->config_.connections_max;
    const absl::Status opened = stage->multi_.open({connections, connections});
    if (!opened.ok()) return opened;
    instance.spawn("smtp-sockets", curl::Multi::serve_sockets, &stage->multi_);
    instance.spawn("smtp-timer", curl::Multi::serve_timer, &stage->multi_);
    return stage;
  }

  Co<absl::StatusOr<std::string>> run(Call& call) {
    const absl::StatusOr<smtp::Request> request =
        smtp::read_request(call.input(), config_, call.job_id());
    if (!request.ok()) co_return request.status();
    absl::StatusOr<std::string> out = co_await smtp::send(multi_, config_, *request);
    messages_.add(1, {out.ok() ? "ok" : "error"});
    co_return std::move(out);
  }

 private:
  const smtp::Config config_;
  curl::Multi multi_;
  PluginCounter messages_;
};

}  // namespace
}  // namespace fermata

FERMATA_PLUGIN("dev.fermata.smtp", "1.0.0", fermata::Send);
