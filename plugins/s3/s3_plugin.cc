// s3: stages that read and write objects of S3 and what speaks like it.
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "plugins/curl/multi.h"
#include "plugins/s3/exchange.h"
#include "plugins/s3/options.h"
#include "plugins/sdk/sdk.h"

namespace fermata {
namespace {

constexpr char kConfigSchema[] = R"({
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "endpoint": {"type": "string", "description": "https://host or http://host:port"},
    "region": {"type": "string", "minLength": 1, "default": "us-east-1"},
    "access_key": {"type": "string"},
    "secret_key": {"type": "string", "description": "as ${file:…} or ${env:…}"},
    "session_token": {"type": "string"},
    "path_style": {
      "type": "boolean", "default": true,
      "description": "endpoint/bucket/key; false: bucket.endpoint/key"
    },
    "buckets": {
      "type": "array", "items": {"type": "string"}, "default": [],
      "description": "nothing else may be touched; empty: all that the key may"
    },
    "ca_file": {"type": "string", "description": "PEM certificates to trust"},
    "max_bytes": {"type": ["string", "integer"], "default": "16MiB", "description": "of an object"},
    "max_connections": {"type": "integer", "minimum": 1, "default": 32}
  }
})";

constexpr char kGetInput[] = R"({
  "type": "object",
  "additionalProperties": false,
  "required": ["bucket", "key"],
  "properties": {
    "bucket": {"type": "string", "minLength": 1},
    "key": {"type": "string", "minLength": 1},
    "read": {
      "enum": ["auto", "text", "base64"], "default": "auto",
      "description": "auto: content as text if it is UTF-8, else content_base64"
    },
    "max_bytes": {"type": ["string", "integer"], "description": "at most the server's own limit"},
    "timeout": {"type": "string", "default": "1m", "description": "for all of it"}
  }
})";

constexpr char kPutInput[] = R"({
  "type": "object",
  "additionalProperties": false,
  "required": ["bucket", "key"],
  "properties": {
    "bucket": {"type": "string", "minLength": 1},
    "key": {"type": "string", "minLength": 1},
    "content": {"type": "string"},
    "content_base64": {"type": "string"},
    "json": {"description": "what is stored, as JSON"},
    "content_type": {"type": "string"},
    "metadata": {"type": "object", "additionalProperties": {"type": "string"}},
    "create": {
      "type": "boolean", "default": false, "description": "an object that is there is an error"
    },
    "timeout": {"type": "string", "default": "1m", "description": "for all of it"}
  }
})";

// A body above this is rendered on another thread.
constexpr std::size_t kInlineBytes = 64 << 10;

// [worker]
absl::StatusOr<std::string> render_for(const s3::Request* request, const s3::Answer* answer) {
  return s3::render(*request, *answer);
}

class S3Stage {
 public:
  Co<absl::StatusOr<std::string>> run(Call& call) {
    const absl::StatusOr<s3::Request> request =
        put_ ? s3::read_put(call.input(), config_) : s3::read_get(call.input(), config_);
    if (!request.ok()) co_return request.status();
    const absl::StatusOr<s3::Answer> answer = co_await s3::exchange(multi_, config_, *request);
    if (!answer.ok()) {
      answers_.add(1, {"none"});
      co_return answer.status();
    }
    const absl::Status judged = s3::verdict(*request, *answer);
    answers_.add(1, {judged.ok() ? "ok" : "error"});
    bytes_.add(static_cast<double>(put_ ? request->content.size() : answer->body.size()));
    if (!judged.ok()) co_return judged;
    if (answer->body.size() <= kInlineBytes) co_return s3::render(*request, *answer);
    const s3::Request* asked = &*request;
    const s3::Answer* got = &*answer;
    absl::StatusOr<std::string> out = co_await offload(&render_for, asked, got);
    co_return std::move(out);
  }

 protected:
  explicit S3Stage(bool put) : put_(put) {}

  template <class Stage>
  static absl::StatusOr<std::unique_ptr<Stage>> open(Instance& instance, std::string_view config) {
    absl::StatusOr<s3::Config> parsed = s3::read_config(config);
    if (!parsed.ok()) return parsed.status();
    auto stage = std::make_unique<Stage>();
    S3Stage& base = *stage;
    base.config_ = *std::move(parsed);
    const absl::Status opened =
        base.multi_.open({base.config_.connections_max, base.config_.connections_max});
    if (!opened.ok()) return opened;
    base.answers_ = instance.counter("s3_answers_total", "requests by how they ended", {"end"});
    base.bytes_ = instance.counter("s3_bytes_total", "bytes of objects read or written");
    instance.spawn("s3-sockets", curl::Multi::serve_sockets, &base.multi_);
    instance.spawn("s3-timer", curl::Multi::serve_timer, &base.multi_);
    return stage;
  }

 private:
  const bool put_;
  s3::Config config_;
  curl::Multi multi_;
  PluginCounter answers_;
  PluginCounter bytes_;
};

class Get final : public S3Stage {
 public:
  Get() : S3Stage(false) {}
  static const StageSpec& spec() {
    static const StageSpec spec = {"get", "read an object of S3", kConfigSchema, kGetInput,
                                   FERMATA_STAGE_IDEMPOTENT};
    return spec;
  }
  static absl::StatusOr<std::unique_ptr<Get>> create(Instance& instance, std::string_view config) {
    return open<Get>(instance, config);
  }
};

// Idempotent, as the same object is stored again; with `create` an attempt after a lost answer
// finds its own.
class Put final : public S3Stage {
 public:
  Put() : S3Stage(true) {}
  static const StageSpec& spec() {
    static const StageSpec spec = {"put", "write an object of S3", kConfigSchema, kPutInput,
                                   FERMATA_STAGE_IDEMPOTENT};
    return spec;
  }
  static absl::StatusOr<std::unique_ptr<Put>> create(Instance& instance, std::string_view config) {
    return open<Put>(instance, config);
  }
};

}  // namespace
}  // namespace fermata

FERMATA_PLUGIN("dev.fermata.s3", "1.0.0", fermata::Get, fermata::Put);
