#include "tests/stages/testing/scripted_plugin.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "services/async/check.h"
#include "services/stages/host_table.h"

namespace fermata {
namespace {

ScriptedPlugin* current = nullptr;

// Inside the plugin, on the loop: the host must not come in a second time.
class Inside {
 public:
  explicit Inside(bool& inside) : inside_(inside) {
    FERMATA_CHECK(!inside_, "the host entered the plugin from inside one of its own functions");
    inside_ = true;
  }
  ~Inside() { inside_ = false; }

 private:
  bool& inside_;
};

std::string text_of(fermata_str text) { return {text.ptr, text.len}; }

}  // namespace

struct ScriptedEntries {
  static fermata_status create(fermata_instance* instance, fermata_str, void** inst) noexcept {
    Inside inside(current->inside_);
    current->instance = instance;
    ++current->created;
    *inst = current;
    return current->on_create ? current->on_create() : FERMATA_OK;
  }
  static fermata_status create_echo(fermata_instance*, fermata_str, void** inst) noexcept {
    *inst = current;
    return FERMATA_OK;
  }
  static void destroy(void*) noexcept { ++current->destroyed; }
  static void destroy_echo(void*) noexcept { ++current->echoes_destroyed; }
  static fermata_status start(void*, fermata_call* call, const fermata_request* request,
                              void** state) noexcept {
    Inside inside(current->inside_);
    auto* job = new ScriptedCall;
    job->plugin = current;
    job->call = call;
    job->input.assign(reinterpret_cast<const char*>(request->input.ptr), request->input.len);
    job->job_id = text_of(request->job_id);
    job->deadline_ns = request->deadline_ns;
    current->last_call = call;
    ++current->started;
    *state = job;
    return returned(*job, current->on_start(*job));
  }
  static fermata_status start_echo(void*, fermata_call* call, const fermata_request* request,
                                   void**) noexcept {
    if (std::memchr(request->input.ptr, '!', request->input.len) != nullptr)
      return FERMATA_E_TRANSIENT;
    return current->host->emit(call, &request->input, FERMATA_EMIT_FINAL);
  }
  static fermata_status resume(void* state, const fermata_event* event) noexcept {
    Inside inside(current->inside_);
    auto* job = static_cast<ScriptedCall*>(state);
    FERMATA_CHECK(!job->ended, "an event was delivered after a terminal return");
    ++job->events;
    current->events.push_back(describe(*event));
    return returned(*job, current->on_resume(*job, *event));
  }
  static fermata_status returned(ScriptedCall& job, fermata_status status) {
    job.ended = status != FERMATA_PENDING;
    return status;
  }
  static void finish(void* state) noexcept {
    Inside inside(current->inside_);
    ++current->finished;
    delete static_cast<ScriptedCall*>(state);
  }
  static fermata_status blocking(void*, uint64_t token) noexcept {
    return current->on_blocking(token);
  }
  static void instance_event(void*, const fermata_event* event) noexcept {
    Inside inside(current->inside_);
    current->instance_events.push_back(describe(*event));
    if (current->on_instance_event) current->on_instance_event(*event);
  }
  static void quiesce() noexcept { ++current->quiesced; }
};

ScriptedPlugin::ScriptedPlugin() : host(&host_table()) {
  FERMATA_CHECK(current == nullptr, "one ScriptedPlugin at a time");
  current = this;
  stage_.struct_size = echo_.struct_size = sizeof(fermata_stage);
  stage_.name = {"stage", 5};
  echo_.name = {"echo", 4};
  stage_.create = &ScriptedEntries::create;
  echo_.create = &ScriptedEntries::create_echo;
  stage_.destroy = &ScriptedEntries::destroy;
  echo_.destroy = &ScriptedEntries::destroy_echo;
  stage_.start = &ScriptedEntries::start;
  echo_.start = &ScriptedEntries::start_echo;
  stage_.resume = echo_.resume = &ScriptedEntries::resume;
  stage_.finish = echo_.finish = &ScriptedEntries::finish;
  stage_.blocking = stage_.instance_blocking = &ScriptedEntries::blocking;
  stage_.instance_event = &ScriptedEntries::instance_event;
  plugin_.struct_size = sizeof plugin_;
  plugin_.abi_major = FERMATA_ABI_MAJOR;
  plugin_.n_stages = 2;
  plugin_.id = {"test.scripted", 13};
  plugin_.version = {"1.0.0", 5};
  plugin_.stages = stages_;
  plugin_.quiesce = &ScriptedEntries::quiesce;
}

ScriptedPlugin::~ScriptedPlugin() { current = nullptr; }

fermata_status ScriptedPlugin::answer(ScriptedCall& call, const std::string& text) const {
  fermata_buf buf;
  if (host->buf_alloc(call.call, text.size(), &buf) != FERMATA_OK) return FERMATA_E_NOMEM;
  std::memcpy(buf.ptr, text.data(), text.size());
  const fermata_status status = host->emit(call.call, &buf, FERMATA_EMIT_FINAL);
  host->buf_release(buf.ref);
  return status;
}

fermata_status ScriptedPlugin::fail(ScriptedCall& call, fermata_status status,
                                    const std::string& text) const {
  fermata_failure failure{};
  failure.struct_size = sizeof failure;
  failure.message = {text.data(), text.size()};
  host->fail_detail(call.call, &failure);
  return status;
}

std::string describe(const fermata_event& event) {
  static const char* const kKinds[] = {"?",           "TIMER",  "FD",    "BLOCKING", "STAGE",
                                       "STAGE_CHUNK", "CREDIT", "WAKER", "WAKE"};
  const std::string kind = event.kind < 9 ? kKinds[event.kind] : "?";
  std::string text = absl::StrCat(kind, " ", event.token, " ", event.status, " ", event.value);
  if (event.buf.len > 0) {
    absl::StrAppend(&text, " ",
                    absl::string_view(reinterpret_cast<const char*>(event.buf.ptr), event.buf.len));
  }
  return text;
}

}  // namespace fermata
