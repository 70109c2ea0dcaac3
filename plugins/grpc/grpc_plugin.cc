// grpc: a stage that calls any unary method, with bytes in and out.
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "plugins/grpc/client.h"
#include "plugins/grpc/options.h"
#include "plugins/sdk/sdk.h"
#include "plugins/sdk/slots.h"

namespace fermata {
namespace {

constexpr char kConfigSchema[] = R"({
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "targets": {
      "type": "object", "default": {},
      "description": "what calls may name; nothing else can be called",
      "additionalProperties": {
        "type": "object",
        "additionalProperties": false,
        "required": ["address"],
        "properties": {
          "address": {"type": "string", "minLength": 1, "description": "host:port or unix:/path"},
          "tls": {"type": "boolean", "default": true},
          "ca_file": {"type": "string", "description": "PEM certificates to trust"},
          "certificate_file": {"type": "string", "description": "PEM, for servers that ask"},
          "key_file": {"type": "string"},
          "server_name": {"type": "string", "description": "that its certificate must be for"}
        }
      }
    },
    "max_calls": {"type": "integer", "minimum": 1, "default": 256},
    "max_waiting": {"type": "integer", "minimum": 0, "default": 1000},
    "max_message": {"type": ["string", "integer"], "default": "4MiB"}
  }
})";

constexpr char kCallInput[] = R"({
  "type": "object",
  "additionalProperties": false,
  "required": ["target", "method"],
  "properties": {
    "target": {"type": "string", "minLength": 1, "description": "a name of config.targets"},
    "method": {"type": "string", "minLength": 1, "description": "/package.Service/Method"},
    "message_base64": {"type": "string", "default": "", "description": "the serialized message"},
    "metadata": {
      "type": "object", "additionalProperties": {"type": "string"},
      "description": "the value of a name that ends in -bin is base64"
    },
    "timeout": {"type": "string", "default": "30s", "description": "for all of it"},
    "wait_for_ready": {
      "type": "boolean", "default": false, "description": "wait for a connection instead of failing"
    }
  }
})";

// Not idempotent: that is up to the method.
class CallStage {
 public:
  CallStage(grpc_call::Config config, Instance& instance)
      : slots_("grpc calls", config.calls_max, config.waiting_max),
        client_(std::move(config)),
        calls_(instance.counter("grpc_calls_total", "calls by target and status",
                                {"target", "code"})) {}

  static const StageSpec& spec() {
    static const StageSpec spec = {"call", "call a gRPC method", kConfigSchema, kCallInput, 0};
    return spec;
  }
  static absl::StatusOr<std::unique_ptr<CallStage>> create(Instance& instance,
                                                           std::string_view config) {
    absl::StatusOr<grpc_call::Config> parsed = grpc_call::read_config(config);
    if (!parsed.ok()) return parsed.status();
    return std::make_unique<CallStage>(*std::move(parsed), instance);
  }

  Co<absl::StatusOr<std::string>> run(Call& call) {
    const absl::StatusOr<grpc_call::Request> request =
        grpc_call::read_request(call.input(), client_.config());
    if (!request.ok()) co_return request.status();
    const absl::StatusOr<Semaphore::Permit> slot = co_await slots_.acquire();
    if (!slot.ok()) co_return slot.status();
    absl::Duration retry_after = -absl::InfiniteDuration();
    absl::StatusOr<std::string> out = co_await client_.call(*request, &retry_after);
    const std::string code = absl::StatusCodeToString(out.status().code());
    calls_.add(1, {request->target, code});
    if (retry_after >= absl::ZeroDuration()) call.set_retry_after(retry_after);
    co_return std::move(out);
  }

 private:
  Slots slots_;
  grpc_call::Client client_;
  PluginCounter calls_;
};

}  // namespace
}  // namespace fermata

FERMATA_PLUGIN("dev.fermata.grpc", "1.0.0", fermata::CallStage);
