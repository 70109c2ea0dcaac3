// smtp: a stage that sends a message.
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "plugins/sdk/pool.h"
#include "plugins/sdk/sdk.h"
#include "plugins/smtp/link.h"
#include "plugins/smtp/message.h"
#include "plugins/smtp/options.h"
#include "services/config/duration.h"
#include "services/config/str_cat.h"

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
    "max_connections": {"type": "integer", "minimum": 1, "default": 4},
    "max_waiting": {"type": "integer", "minimum": 0, "default": 1000}
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

// On a worker.
absl::StatusOr<std::string> hand_over(smtp::Link* link, const smtp::Request* request,
                                      const std::string* message) {
  return link->send(*request, *message);
}

// Not idempotent: an attempt after a lost answer sends it twice, with the same Message-ID.
class Send {
 public:
  Send(smtp::Config config, Instance& instance)
      : config_(std::move(config)),
        links_({"smtp connections", config_.connections_max, config_.waiting_max}),
        messages_(instance.counter("smtp_messages_total", "messages by how they ended", {"end"})) {}

  static const StageSpec& spec() {
    static const StageSpec spec = {"send", "send a message", kConfigSchema, kSendInput, 0};
    return spec;
  }
  static absl::StatusOr<std::unique_ptr<Send>> create(Instance& instance, std::string_view config) {
    absl::StatusOr<smtp::Config> parsed = smtp::read_config(config);
    if (!parsed.ok()) return parsed.status();
    return std::make_unique<Send>(*std::move(parsed), instance);
  }

  Co<absl::StatusOr<std::string>> run(Call& call) {
    const absl::StatusOr<smtp::Request> request =
        smtp::read_request(call.input(), config_, call.job_id());
    if (!request.ok()) co_return request.status();
    absl::StatusOr<std::string> out = co_await deliver(&*request);
    messages_.add(1, {out.ok() ? "ok" : "error"});
    co_return std::move(out);
  }

 private:
  using Links = Pool<smtp::Link>;

  // A message on its way; whoever gives up first stops it.
  struct Sending {
    explicit Sending(smtp::Link& link) : link(link) {}
    smtp::Link& link;
    bool over = false;
  };
  struct StopAtEnd {
    explicit StopAtEnd(Sending& sending) : sending(sending) {}
    StopAtEnd(const StopAtEnd&) = delete;
    ~StopAtEnd() {
      if (!sending.over) sending.link.stop();
    }
    Sending& sending;
  };

  Co<absl::StatusOr<std::string>> deliver(const smtp::Request* request) {
    Links::Lease lease = co_await Try(links_.acquire());
    if (lease.get() == nullptr) lease.set(std::make_unique<smtp::Link>(config_));
    const std::string message = smtp::message_text(*request, now());
    Sending sending(*lease);
    std::variant<absl::StatusOr<std::string>, std::monostate> first =
        co_await race(send(&sending, request, &message), stop_in_time(&sending, request->timeout));
    if (first.index() == 1) {
      co_return absl::UnavailableError(str_cat("smtp ", config_.server, ": not done after ",
                                               format_duration(request->timeout), " (timeout)"));
    }
    absl::StatusOr<std::string>& out = std::get<0>(first);
    if (out.ok()) lease.keep();
    co_return std::move(out);
  }
  static Co<absl::StatusOr<std::string>> send(Sending* sending, const smtp::Request* request,
                                              const std::string* message) {
    smtp::Link* link = &sending->link;
    absl::StatusOr<std::string> out = co_await offload(&hand_over, link, request, message);
    sending->over = true;
    co_return std::move(out);
  }
  // Its frame goes when the time is over, and at once when the call is cancelled, while the other
  // one waits for the worker.
  static Co<void> stop_in_time(Sending* sending, absl::Duration limit) {
    StopAtEnd stop(*sending);
    co_await sleep(limit);
  }

  const smtp::Config config_;
  Links links_;
  PluginCounter messages_;
};

}  // namespace
}  // namespace fermata

FERMATA_PLUGIN("dev.fermata.smtp", "1.0.0", fermata::Send);
