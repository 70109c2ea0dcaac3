// A plugin with one stage per thing that the SDK's tests look at.

#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "plugins/sdk/sdk.h"

namespace {

using fermata::Call;
using fermata::Co;
using fermata::Instance;
using fermata::StageSpec;
using Result = absl::StatusOr<std::string>;

// What every stage here would repeat.
template <class Self>
class Plain {
 public:
  static absl::StatusOr<std::unique_ptr<Self>> create(Instance&, std::string_view) {
    return std::make_unique<Self>();
  }
};

StageSpec spec_of(std::string_view name, std::string_view summary) {
  StageSpec spec;
  spec.name = name;
  spec.summary = summary;
  return spec;
}

class Echo : public Plain<Echo> {
 public:
  static const StageSpec& spec() {
    static const StageSpec spec = spec_of("echo", "the input");
    return spec;
  }
  Co<Result> run(Call& call) { co_return std::string(call.input()); }
};

class Yield : public Plain<Yield> {
 public:
  static const StageSpec& spec() {
    static const StageSpec spec = spec_of("yield", "the input, after one turn");
    return spec;
  }
  Co<Result> run(Call& call) {
    co_await fermata::sleep(absl::ZeroDuration());
    co_return std::string(call.input());
  }
};

// Sleeps for ever; the job's id is how its destructor is seen from outside.
class Forever : public Plain<Forever> {
 public:
  static const StageSpec& spec() {
    static const StageSpec spec = spec_of("forever", "sleeps until it is cancelled");
    return spec;
  }
  Co<Result> run(Call& call) {
    const Goodbye goodbye(call);
    co_await fermata::sleep(absl::InfiniteDuration());
    co_return "null";
  }

 private:
  struct Goodbye {
    explicit Goodbye(Call& call) : call(call) {}
    ~Goodbye() { call.progress(0.75, "unwound"); }
    Call& call;
  };
};

Co<Result> nap(int number) {
  co_await fermata::sleep(absl::Milliseconds(number));
  co_return absl::StrCat(number);
}

class Gather : public Plain<Gather> {
 public:
  static const StageSpec& spec() {
    static const StageSpec spec = spec_of("group", "three naps at once, in a task group");
    return spec;
  }
  static Co<absl::Status> nap_into(std::string* sum, int number) {
    std::string text = co_await fermata::Try(nap(number));
    absl::StrAppend(sum, text);
    co_return absl::OkStatus();
  }
  static Co<absl::Status> all(fermata::TaskGroup& group, std::string* sum) {
    group.spawn(nap_into, sum, 3);
    group.spawn(nap_into, sum, 1);
    group.spawn(nap_into, sum, 2);
    co_return absl::OkStatus();
  }
  Co<Result> run(Call& call) {
    std::string sum;
    absl::Status status = co_await fermata::with_group(all, &sum);
    if (!status.ok()) co_return status;
    co_return sum;
  }
};

class Timeout : public Plain<Timeout> {
 public:
  static const StageSpec& spec() {
    static const StageSpec spec = spec_of("timeout", "gives up on itself");
    return spec;
  }
  Co<Result> run(Call& call) {
    std::string text = co_await fermata::Try(fermata::timeout(absl::Milliseconds(1), nap(10000)));
    co_return text;
  }
};

// Says the error that the input names.
class Fail : public Plain<Fail> {
 public:
  static const StageSpec& spec() {
    static const StageSpec spec = spec_of("fail", "fails as the input says");
    return spec;
  }
  Co<Result> run(Call& call) {
    if (call.input() == "throw") throw std::runtime_error("thrown by the stage");
    if (call.input() == "late throw") {
      co_await fermata::yield_now();
      throw std::runtime_error("thrown later");
    }
    call.set_retry_after(absl::Seconds(7));
    int code = 0;
    (void)absl::SimpleAtoi(absl::string_view(call.input().data(), call.input().size()), &code);
    co_return absl::Status(static_cast<absl::StatusCode>(code), "as asked");
  }
};

std::string work(const Call* call, std::string text) {
  while (text == "\"until cancelled\"" && !call->cancelled()) std::this_thread::yield();
  return absl::StrCat("<", text, ">");
}

class Offload : public Plain<Offload> {
 public:
  static const StageSpec& spec() {
    static const StageSpec spec = spec_of("offload", "works on a thread");
    return spec;
  }
  Co<Result> run(Call& call) {
    std::string text(call.input());
    const Call* shared = &call;
    std::string result = co_await fermata::offload(&work, shared, std::move(text));
    co_return result;
  }
};

class Stream : public Plain<Stream> {
 public:
  static const StageSpec& spec() {
    static const StageSpec spec = [] {
      StageSpec made = spec_of("stream", "a hundred chunks, then the result");
      made.flags = FERMATA_STAGE_STREAMS;
      return made;
    }();
    return spec;
  }
  Co<Result> run(Call& call) {
    for (int i = 0; i < 100; ++i) {
      absl::Status sent = co_await call.emit(absl::StrCat(i));
      if (!sent.ok()) co_return sent;
    }
    co_return "\"end\"";
  }
};

// Calls the stage that the input names, with the same input.
class Nest : public Plain<Nest> {
 public:
  static const StageSpec& spec() {
    static const StageSpec spec = spec_of("nest", "calls another stage");
    return spec;
  }
  Co<Result> run(Call& call) {
    std::string stage(call.input());
    std::string output = co_await fermata::Try(call.call_stage(stage, stage));
    co_return absl::StrCat("[", output, "]");
  }
};

// A queue between the calls and one background task: calls end during the task's events, not their
// own.
struct Request {
  Request(std::string text, fermata::Event& done, std::string& answer)
      : text(std::move(text)), done(&done), answer(&answer) {}
  std::string text;
  fermata::Event* done;
  std::string* answer;
};

class Shared {
 public:
  static const StageSpec& spec() {
    static const StageSpec spec = spec_of("shared", "one worker task for all calls");
    return spec;
  }
  static absl::StatusOr<std::unique_ptr<Shared>> create(Instance& instance, std::string_view) {
    auto stage = std::make_unique<Shared>(instance);
    instance.spawn("worker", &Shared::serve, stage.get());
    return stage;
  }
  explicit Shared(Instance& instance)
      : served_(instance.counter("served_total", "calls served", {"kind"})), queue_(100) {}
  Co<Result> run(Call& call) {
    fermata::Event done;
    std::string answer;
    absl::Status put = co_await queue_.put(Request(std::string(call.input()), done, answer));
    if (!put.ok()) co_return put;
    co_await done.wait();
    co_return answer;
  }

 private:
  Co<void> serve() {
    for (;;) {
      std::optional<Request> request = co_await queue_.get();
      if (!request.has_value()) co_return;
      co_await fermata::sleep(absl::Milliseconds(1));
      *request->answer = absl::StrCat("served ", request->text);
      request->done->set();
      served_.add(1, {"all"});
    }
  }
  fermata::PluginCounter served_;
  fermata::Queue<Request> queue_;
};

// A thread of the plugin's own wakes the call.
class Foreign : public Plain<Foreign> {
 public:
  static const StageSpec& spec() {
    static const StageSpec spec = spec_of("foreign", "woken by a thread of its own");
    return spec;
  }
  ~Foreign() {
    if (thread_.joinable()) thread_.join();
  }
  Co<Result> run(Call& call) {
    fermata::Loop& loop = fermata::Loop::current();
    fermata::Event* event = &event_;
    std::thread thread([&loop, event] { loop.post([event] { event->set(); }); });
    if (thread_.joinable()) thread_.join();
    thread_ = std::move(thread);
    co_await event_.wait();
    event_.clear();
    co_return "\"woken\"";
  }

 private:
  fermata::Event event_;
  std::thread thread_;
};

// Closes a descriptor that a task waits for.
class Closes : public Plain<Closes> {
 public:
  static const StageSpec& spec() {
    static const StageSpec spec = spec_of("closes", "what becomes of those who wait for it");
    return spec;
  }
  static Co<absl::Status> wait(fermata::Descriptor* end, int* refused) {
    absl::Status waited = co_await end->readable();
    *refused += waited.ok() ? 0 : 1;
    co_return absl::OkStatus();
  }
  static Co<absl::Status> all(fermata::TaskGroup& group, fermata::Descriptor* end, int* refused) {
    group.spawn(wait, end, refused);
    group.spawn(wait, end, refused);
    co_await fermata::sleep(absl::Milliseconds(1));
    end->close();
    co_return absl::OkStatus();
  }
  Co<Result> run(Call& call) {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) co_return absl::InternalError("pipe2");
    fermata::Descriptor read_end(fds[0]);
    fermata::Descriptor write_end(fds[1]);
    int refused = 0;
    absl::Status status = co_await fermata::with_group(all, &read_end, &refused);
    if (!status.ok()) co_return status;
    co_return absl::StrCat(refused);
  }
};

class Configured {
 public:
  static const StageSpec& spec() {
    static const StageSpec spec = [] {
      StageSpec made = spec_of("configured", "checked by schemas");
      made.config_schema =
          R"({"type":"object","properties":{"greeting":{"type":"string","default":"hello"},
        "refuse":{"type":"boolean"}}})";
      made.input_schema = R"({"type":"object","required":["name"],"additionalProperties":false,
        "properties":{"name":{"type":"string"},"mark":{"type":"string","default":"!"}}})";
      return made;
    }();
    return spec;
  }
  static absl::StatusOr<std::unique_ptr<Configured>> create(Instance& instance,
                                                            std::string_view config) {
    if (config.find("\"refuse\":true") != std::string_view::npos) {
      return absl::UnavailableError("cannot reach cache.internal:6379");
    }
    return std::make_unique<Configured>(std::string(config));
  }
  explicit Configured(std::string config) : config_(std::move(config)) {}
  Co<Result> run(Call& call) { co_return absl::StrCat(config_, " ", std::string(call.input())); }

 private:
  std::string config_;
};

}  // namespace

FERMATA_PLUGIN("org.example.sample", "1.2.0", Echo, Yield, Forever, Gather, Timeout, Fail, Offload,
               Stream, Nest, Shared, Foreign, Closes, Configured);
