// http: stages that fetch.
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "plugins/http/client.h"
#include "plugins/http/fetch.h"
#include "plugins/http/options.h"
#include "plugins/http/response.h"
#include "plugins/http/retry_after.h"
#include "plugins/http/schemas.h"
#include "plugins/sdk/sdk.h"

namespace fermata {
namespace {

// A body above this is converted and escaped on another thread.
constexpr std::size_t kInlineBytes = 64 << 10;

class HttpStage {
 public:
  Co<absl::StatusOr<std::string>> run(Call& call) {
    const absl::StatusOr<http::Request> request =
        http::read_request(call.input(), client_->config(), full_);
    if (!request.ok()) co_return request.status();
    absl::StatusOr<http::Response> response = co_await http::fetch(*client_, *request);
    if (!response.ok()) {
      responses_.add(1, {"none"});
      co_return response.status();
    }
    responses_.add(1, {class_of(response->status)});
    const absl::Status judged = http::verdict(*request, *response);
    if (!judged.ok()) {
      const std::optional<absl::Duration> wait =
          http::parse_retry_after(response->header("retry-after"), now());
      if (wait.has_value()) call.set_retry_after(*wait);
      co_return judged;
    }
    if (response->body.size() <= kInlineBytes) {
      co_return http::render(*std::move(response), request->form);
    }
    std::string out = co_await offload(&http::render, *std::move(response), request->form);
    co_return out;
  }

 protected:
  explicit HttpStage(bool full) : full_(full) {}

  template <class Stage>
  static absl::StatusOr<std::unique_ptr<Stage>> open(Instance& instance, std::string_view config) {
    absl::StatusOr<http::Config> parsed = http::read_config(config);
    if (!parsed.ok()) return parsed.status();
    absl::StatusOr<std::unique_ptr<http::Client>> client = http::Client::make(*std::move(parsed));
    if (!client.ok()) return client.status();
    auto stage = std::make_unique<Stage>();
    stage->client_ = *std::move(client);
    stage->responses_ = instance.counter(
        "http_responses_total", "answers by class of status; none: it failed before", {"class"});
    instance.spawn("sockets", http::Client::serve_sockets, stage->client_.get());
    instance.spawn("timer", http::Client::serve_timer, stage->client_.get());
    return stage;
  }

 private:
  static std::string_view class_of(long status) {
    constexpr std::string_view kClasses[] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
    return status >= 100 && status < 600 ? kClasses[status / 100 - 1] : "other";
  }

  const bool full_;
  std::unique_ptr<http::Client> client_;
  PluginCounter responses_;
};

class Get final : public HttpStage {
 public:
  Get() : HttpStage(false) {}
  static const StageSpec& spec() {
    static const std::string& input = *new std::string(http::input_schema(""));
    static const StageSpec spec = {"get", "fetch a URL", http::kConfigSchema, input,
                                   FERMATA_STAGE_IDEMPOTENT};
    return spec;
  }
  static absl::StatusOr<std::unique_ptr<Get>> create(Instance& instance, std::string_view config) {
    return open<Get>(instance, config);
  }
};

// Not idempotent: what the method does is between the caller and the server.
class Request final : public HttpStage {
 public:
  Request() : HttpStage(true) {}
  static const StageSpec& spec() {
    static const std::string& input = *new std::string(http::input_schema(http::kRequestOnlyInput));
    static const StageSpec spec = {"request", "send any HTTP request", http::kConfigSchema, input,
                                   0};
    return spec;
  }
  static absl::StatusOr<std::unique_ptr<Request>> create(Instance& instance,
                                                         std::string_view config) {
    return open<Request>(instance, config);
  }
};

}  // namespace
}  // namespace fermata

FERMATA_PLUGIN("dev.fermata.http", "1.0.0", fermata::Get, fermata::Request);
