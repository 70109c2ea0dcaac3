// FERMATA_PLUGIN(id, version, Stage...): the note, the descriptor and the one exported symbol of a
// plugin.
//
// Use it once, in one source file. For each stage class it makes the ABI's functions (create,
// start, resume, ...), which forward to a PluginInstance. Nothing may throw across them: they are
// noexcept, and PluginInstance catches.
#ifndef PLUGINS_SDK_PLUGIN_H_
#define PLUGINS_SDK_PLUGIN_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "plugins/abi/fermata_abi.h"
#include "plugins/sdk/instance.h"
#include "plugins/sdk/plugin_call.h"
#include "plugins/sdk/plugin_instance.h"
#include "plugins/sdk/stage_spec.h"

namespace fermata::sdk {

// The table the server gave when it asked for the descriptor; it outlives the plugin.
const fermata_host*& host_slot() noexcept;
// Whether this server offers everything that this SDK calls.
bool host_suffices(const fermata_host& host) noexcept;

template <class Stage>
class TypedInstance final : public PluginInstance {
 public:
  TypedInstance(const fermata_host& host, fermata_instance* instance)
      : PluginInstance(host, instance) {}

 private:
  absl::Status make_stage(std::string_view config) override {
    absl::StatusOr<std::unique_ptr<Stage>> made = Stage::create(*this, config);
    if (made.ok()) stage_ = *std::move(made);
    return made.status();
  }
  void drop_stage() noexcept override { stage_.reset(); }
  detail::Body<absl::StatusOr<std::string>> run_stage(Call& call) override {
    return stage_->run(call).release();
  }

  std::unique_ptr<Stage> stage_;
};

// The ABI's functions of one stage class.
template <class Stage>
struct Entries {
  static fermata_status create(fermata_instance* handle, fermata_str config, void** inst) noexcept {
    auto* instance = new TypedInstance<Stage>(*host_slot(), handle);
    const fermata_status status = instance->open({config.ptr, config.len});
    if (status == FERMATA_OK) {
      *inst = static_cast<PluginInstance*>(instance);
    } else {
      PluginInstance::destroy(instance);
    }
    return status;
  }
  static void destroy(void* inst) noexcept {
    PluginInstance::destroy(static_cast<PluginInstance*>(inst));
  }
  static fermata_status start(void* inst, fermata_call* call, const fermata_request* request,
                              void** state) noexcept {
    return static_cast<PluginInstance*>(inst)->start(call, *request, state);
  }
  static fermata_status resume(void* state, const fermata_event* event) noexcept {
    return PluginInstance::resume(*static_cast<PluginCall*>(state), *event);
  }
  static void finish(void* state) noexcept {
    auto* call = static_cast<PluginCall*>(state);
    PluginLoop::Enter enter(call->instance().loop());
    delete call;
  }
  static void instance_event(void* inst, const fermata_event* event) noexcept {
    static_cast<PluginInstance*>(inst)->handle(*event);
  }
  static fermata_status instance_blocking(void*, uint64_t token) noexcept {
    PluginLoop::run_blocking(token);
    return FERMATA_OK;
  }

  static const fermata_stage& table() noexcept {
    static const fermata_stage stage = make();
    return stage;
  }

 private:
  static fermata_str text(std::string_view view) noexcept { return {view.data(), view.size()}; }
  static fermata_stage make() noexcept {
    const StageSpec& spec = Stage::spec();
    fermata_stage stage{};
    stage.struct_size = sizeof stage;
    stage.flags = spec.flags;
    stage.name = text(spec.name);
    stage.summary = text(spec.summary);
    stage.config_schema = text(spec.config_schema);
    stage.input_schema = text(spec.input_schema);
    stage.create = &create;
    stage.destroy = &destroy;
    stage.start = &start;
    stage.resume = &resume;
    stage.finish = &finish;
    stage.instance_event = &instance_event;
    stage.instance_blocking = &instance_blocking;
    return stage;
  }
};

template <class... Stage>
const fermata_plugin* describe(const fermata_host* host, std::string_view id,
                               std::string_view version) noexcept {
  if (!host_suffices(*host)) return nullptr;
  host_slot() = host;
  static const fermata_stage* const stages[] = {&Entries<Stage>::table()...};
  static const fermata_plugin plugin = {sizeof(fermata_plugin),
                                        FERMATA_ABI_MAJOR,
                                        FERMATA_ABI_MINOR,
                                        0,
                                        sizeof...(Stage),
                                        {id.data(), id.size()},
                                        {version.data(), version.size()},
                                        stages,
                                        nullptr,
                                        nullptr,
                                        nullptr};
  return &plugin;
}

}  // namespace fermata::sdk

#define FERMATA_PLUGIN(ID, VERSION, ...)                             \
  FERMATA_NOTE(ID, VERSION, "cpp 1.0", 0);                           \
  extern "C" FERMATA_EXPORT const fermata_plugin* fermata_plugin_v1( \
      const fermata_host* host) noexcept {                           \
    return ::fermata::sdk::describe<__VA_ARGS__>(host, ID, VERSION); \
  }                                                                  \
  static_assert(true, "FERMATA_PLUGIN(...); takes a semicolon")

#endif  // PLUGINS_SDK_PLUGIN_H_
