#include "services/plugin_host/plugin_server.h"

#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/stages/current_call.h"
#include "services/stages/host_table.h"
#include "services/stages/isolated/payload.h"
#include "services/stages/static_checks.h"

namespace fermata {
namespace {

constexpr int64_t kMetricsNs = 1'000'000'000;

struct Loaded {
  absl::Status status;
  std::shared_ptr<LoadedPlugin> plugin;
};

// On a worker: constructors, relocation and init() take as long as they take.
Loaded load_plugin(PluginServerOptions options) {
  const std::string where = absl::StrCat(options.plugin_id, " ", options.version, " (loading)");
  const InPlugin inside(where.c_str(), nullptr, 0);
  PluginNote note;
  note.id = options.plugin_id;
  note.version = options.version;
  absl::StatusOr<std::unique_ptr<LoadedPlugin>> plugin =
      LoadedPlugin::load(options.file, options.library, note, host_table());
  if (!plugin.ok()) return {plugin.status(), nullptr};
  absl::Status ready = (*plugin)->init();
  return {std::move(ready), *std::move(plugin)};
}

}  // namespace

// One attempt that the server has started here.
class PluginServer::ServedCall final : public RunningCall::Owner, public StageObserver {
 public:
  ServedCall(PluginServer& server, uint64_t number, uint32_t stage, bool wants_chunks)
      : server_(server), number_(number), stage_(stage), wants_chunks_(wants_chunks) {}

  // May free this.
  void start(StageCall& call) {
    call_ = &call;
    call.start_now();
  }
  StageCall& call() { return *call_; }

  void call_ended(RunningCall& ended) noexcept override {
    EndMessage end;
    end.status = ended.status() == FERMATA_PENDING ? FERMATA_E_CANCELLED : ended.status();
    end.result = call_->result();
    ended.take_outcome(end.outcome);
    server_.send(FrameType::kFinish, number_, end.encode());
    server_.calls_.erase(number_);  // this
  }
  void progress(double fraction, std::string_view note) override {
    ProgressMessage message;
    message.fraction = fraction;
    message.note = note;
    server_.send(FrameType::kProgress, number_, message.encode());
  }
  void log(StageLogLevel level, std::string_view text) override {
    LogMessage message;
    message.stage = stage_;
    message.level = static_cast<uint32_t>(level);
    message.text = text;
    server_.send(FrameType::kLog, number_, message.encode());
  }
  void chunk(const Buffer& bytes) override {
    if (!wants_chunks_) return;
    call_->owe_credit();
    server_.send(FrameType::kEmit, number_, bytes.view());
  }

 private:
  PluginServer& server_;
  const uint64_t number_;
  const uint32_t stage_;
  const bool wants_chunks_;
  StageCall* call_ = nullptr;
};

PluginServer::PluginServer(Loop& loop, int socket, PluginServerOptions options)
    : loop_(loop),
      options_(std::move(options)),
      context_(loop),
      channel_(loop, socket, FrameReader::kProcess, uint64_t{1} << 40, *this,
               options_.busy_poll_ns),
      server_stages_(*this) {
  context_.cancel_grace_ns = options_.cancel_grace_ns;
  context_.chunk_credit = options_.chunk_credit;
  context_.log = [this](const StageLogRecord& record) { log(record); };
  context_.find_stage = [this](std::string_view use, const PluginGeneration&) {
    StageTarget target;
    target.callee = server_stages_.stage(use);
    return target;
  };
}

PluginServer::~PluginServer() = default;

Co<absl::Status> PluginServer::run() {
  context_.thread = std::this_thread::get_id();
  channel_.open();
  absl::Status loaded = options_.confined;
  if (loaded.ok()) loaded = co_await load();
  Hello hello;
  if (loaded.ok()) {
    hello.stages = generation_->stages();
  } else {
    hello.refusal = std::string(loaded.message());
  }
  channel_.send(FrameType::kHello, 0, hello.encode());
  if (loaded.ok()) {
    while (!create_asked_ && !close_asked_) co_await asked_.wait();
    if (create_asked_) co_await create();
    while (!close_asked_) co_await asked_.wait();
    send_metrics();
    co_await generation_->close();
  }
  co_await flush();
  if (timer_.armed()) timer_.disarm();
  channel_.close();
  co_return absl::OkStatus();
}

Co<absl::Status> PluginServer::load() {
  Loaded loaded = co_await offload(&load_plugin, options_);
  if (!loaded.status.ok()) co_return loaded.status;
  plugin_ = std::move(loaded.plugin);
  PluginIdentity identity;
  identity.id = options_.plugin_id;
  identity.short_name = plugin_->short_name();
  identity.version = options_.version;
  identity.file = options_.file;
  std::vector<StageSeries> series(plugin_->stage_count());
  sent_metrics_.resize(series.size());
  generation_ =
      std::make_shared<InprocGeneration>(context_, plugin_, std::move(identity), std::move(series));
  co_return absl::OkStatus();
}

Co<void> PluginServer::create() {
  asked_.clear();
  absl::Status created = co_await generation_->create(std::move(configs_));
  channel_.send(FrameType::kCreated, 0, encode_status(created));
  loop_.timers().arm(timer_, loop_.now_ns() + kMetricsNs);
}

// The last frames leave before the process does.
Co<void> PluginServer::flush() {
  while (channel_.is_open() && channel_.unsent_bytes() > 0) co_await sleep(absl::Milliseconds(1));
}

void PluginServer::on_closed(const absl::Status& why) noexcept {
  (void)why;
  ::_exit(0);  // nobody is there to run anything for
}

void PluginServer::on_frame(const Frame& frame) noexcept {
  switch (frame.type) {
    case FrameType::kStart:
      start(frame.call, frame.payload);
      return;
    case FrameType::kCancel:
      if (const auto found = calls_.find(frame.call); found != calls_.end()) {
        PayloadReader in(frame.payload);
        found->second->call().cancel(in.get<uint32_t>());
      }
      return;
    case FrameType::kCredit:
      if (const auto found = calls_.find(frame.call); found != calls_.end()) {
        PayloadReader in(frame.payload);
        found->second->call().credit_came(in.get<uint32_t>());
      }
      return;
    case FrameType::kSubResult:
      server_stages_.ended(frame.call, frame.payload);
      return;
    case FrameType::kSubChunk:
      server_stages_.chunk(frame.call, frame.payload);
      return;
    case FrameType::kPing:
      send(FrameType::kPong, 0, {});
      return;
    case FrameType::kCreate: {
      configs_ = decode_configs(frame.payload);
      create_asked_ = true;
      asked_.set();
      return;
    }
    case FrameType::kClose:
      close_asked_ = true;
      asked_.set();
      return;
    default:
      return;
  }
}

void PluginServer::start(uint64_t number, std::string_view payload) {
  absl::StatusOr<StartMessage> message = StartMessage::decode(payload);
  FERMATA_CHECK(message.ok() && generation_ != nullptr && generation_->open(),
                "the server starts calls in its own format, between CREATED and CLOSE");
  StageInstance& instance = *generation_->instance(message->stage);
  auto owned = std::make_unique<ServedCall>(*this, number, message->stage, message->wants_chunks);
  ServedCall& served = *owned;
  calls_.emplace(number, std::move(owned));
  message->spec.number = number;
  message->spec.observer = &served;
  served.start(instance.new_call(served, std::move(message->spec)));
}

// What a call says goes with the call; here is what an instance says by itself.
void PluginServer::log(const StageLogRecord& record) {
  if (!record.job_id.empty() || generation_ == nullptr) return;
  LogMessage message;
  const int stage = generation_->find_stage(record.stage);
  message.stage = static_cast<uint32_t>(std::max(stage, 0));
  message.level = static_cast<uint32_t>(record.level);
  message.text = record.message;
  send(FrameType::kLog, 0, message.encode());
}

void PluginServer::send_metrics() {
  for (size_t i = 0; i < sent_metrics_.size(); ++i) {
    const PluginMetrics& metrics = *generation_->series(i).metrics;
    if (metrics.all().empty()) continue;
    std::string now = encode_metrics(metrics);
    if (now == sent_metrics_[i]) continue;
    send(FrameType::kMetrics, i, now);
    sent_metrics_[i] = std::move(now);
  }
}

void PluginServer::metrics_due(Timer& timer) noexcept {
  PluginServer& server = static_cast<OwnTimer&>(timer).server;
  server.send_metrics();
  server.loop_.timers().arm(timer, server.loop_.now_ns() + kMetricsNs);
}

}  // namespace fermata
