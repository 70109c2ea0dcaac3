#include "services/stages/loaded_plugin.h"

#include <dlfcn.h>

#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/stages/absl_view.h"
#include "services/stages/static_checks.h"

namespace fermata {
namespace {

using Entry = const fermata_plugin* (*)(const fermata_host*) noexcept;

// The text after `marker` in what the dynamic loader said, up to a space or the end.
std::string_view word_after(std::string_view message, std::string_view marker) {
  const size_t at = message.find(marker);
  if (at == std::string_view::npos) return {};
  message.remove_prefix(at + marker.size());
  return message.substr(0, message.find_first_of(" ,)'"));
}

// The loader's own words name a path of ours and seldom the cause; these name the file and what to
// do.
absl::Status explain_dlopen(const std::string& file, std::string_view message) {
  if (std::string_view symbol = word_after(message, "undefined symbol: "); !symbol.empty()) {
    return refusal(121, file,
                   absl::StrCat("undefined symbol ", absl_view(symbol),
                                " (RTLD_NOW) - link with -Wl,-z,defs to catch this at build time"));
  }
  if (std::string_view version = word_after(message, "version `"); !version.empty()) {
    return refusal(122, file,
                   absl::StrCat("needs ", absl_view(version),
                                ", this system's library is older - build it on this system"));
  }
  if (message.find("static TLS") != std::string_view::npos) {
    return refusal(141, file, "no static TLS left - build with -ftls-model=global-dynamic");
  }
  if (message.find("cannot open shared object file") != std::string_view::npos) {
    return refusal(120, file,
                   absl::StrCat("needs ", absl_view(message.substr(0, message.find(':'))),
                                ", not found - install it or link statically"));
  }
  return refusal(119, file, absl::StrCat("the dynamic loader refused it: ", absl_view(message)));
}

bool good_text(fermata_str text, size_t max) {
  return text.len <= max && (text.ptr != nullptr || text.len == 0);
}

constexpr size_t kMaxStages = 1000;
constexpr size_t kMaxSchema = size_t{1} << 20;

// What is wrong with one stage's descriptor; empty when nothing is.
std::string fault_of(const fermata_stage* stage) {
  if (stage == nullptr) return "is NULL";
  if (!FERMATA_HAS(fermata_stage, stage, instance_blocking)) {
    return absl::StrCat("has struct_size ", stage->struct_size, ", expected at least ",
                        sizeof(fermata_stage));
  }
  if (!good_text(stage->name, 48) || !valid_stage_name(view_of(stage->name))) {
    return "has a name that is not like \"get\" (a-z, then a-z 0-9 _ -, at most 48)";
  }
  if (!good_text(stage->summary, 1000)) return "has a summary of more than 1000 bytes";
  if (!good_text(stage->config_schema, kMaxSchema) || !good_text(stage->input_schema, kMaxSchema)) {
    return "has a schema of more than 1 MiB";
  }
  if (stage->create == nullptr || stage->destroy == nullptr || stage->start == nullptr ||
      stage->resume == nullptr || stage->finish == nullptr) {
    return "lacks one of create, destroy, start, resume, finish";
  }
  return "";
}

std::string fault_of(const fermata_plugin* plugin) {
  if (!FERMATA_HAS(fermata_plugin, plugin, fini)) {
    return absl::StrCat("struct_size ", plugin->struct_size, ", expected at least ",
                        sizeof(fermata_plugin));
  }
  if (plugin->abi_major != FERMATA_ABI_MAJOR) {
    return absl::StrCat("abi_major ", plugin->abi_major, ", expected ", FERMATA_ABI_MAJOR);
  }
  if (!good_text(plugin->id, 63) || !good_text(plugin->version, 31))
    return "id or version too long";
  if (plugin->n_stages == 0 || plugin->n_stages > kMaxStages || plugin->stages == nullptr) {
    return absl::StrCat(plugin->n_stages, " stages, expected 1 to ", kMaxStages);
  }
  std::set<std::string_view> names;
  for (uint32_t i = 0; i < plugin->n_stages; ++i) {
    if (std::string fault = fault_of(plugin->stages[i]); !fault.empty()) {
      return absl::StrCat("stage ", i, " ", fault);
    }
    if (!names.insert(view_of(plugin->stages[i]->name)).second) {
      return absl::StrCat("two stages are called ", absl_view(view_of(plugin->stages[i]->name)));
    }
  }
  return "";
}

}  // namespace

LoadedPlugin::LoadedPlugin(std::string file, const fermata_plugin* descriptor)
    : file_(std::move(file)),
      short_name_(short_plugin_name(view_of(descriptor->id))),
      descriptor_(descriptor) {}

absl::StatusOr<std::unique_ptr<LoadedPlugin>> LoadedPlugin::load(const std::string& file,
                                                                 const std::string& path,
                                                                 const PluginNote& note,
                                                                 const fermata_host& host) {
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* message = ::dlerror();
    return explain_dlopen(file, message != nullptr ? message : "no reason given");
  }
  auto entry = reinterpret_cast<Entry>(::dlsym(library, "fermata_plugin_v1"));
  if (entry == nullptr) return refusal(112, file, "no symbol fermata_plugin_v1");
  const fermata_plugin* descriptor = entry(&host);
  if (descriptor == nullptr) {
    return refusal(116, file,
                   absl::StrCat("refuses this server (ABI ", host.abi_major, ".", host.abi_minor,
                                "): fermata_plugin_v1 returned NULL"));
  }
  absl::StatusOr<std::unique_ptr<LoadedPlugin>> loaded = from_descriptor(file, descriptor);
  if (!loaded.ok()) return loaded;
  if ((*loaded)->id() != note.id || (*loaded)->version() != note.version) {
    return refusal(113, file,
                   absl::StrCat("note says id ", note.id, " ", note.version, ", descriptor says ",
                                absl_view((*loaded)->id()), " ", absl_view((*loaded)->version()),
                                " - one of them is stale; use FERMATA_PLUGIN, which writes both"));
  }
  Dl_info where;
  if (::dladdr(reinterpret_cast<const void*>(entry), &where) != 0) {
    (*loaded)->image_ = where.dli_fbase;
  }
  return loaded;
}

absl::StatusOr<std::unique_ptr<LoadedPlugin>> LoadedPlugin::from_descriptor(
    const std::string& file, const fermata_plugin* descriptor) {
  if (std::string fault = fault_of(descriptor); !fault.empty()) {
    return refusal(115, file, absl::StrCat("its descriptor is wrong: ", fault));
  }
  return std::unique_ptr<LoadedPlugin>(new LoadedPlugin(file, descriptor));
}

StageInfo LoadedPlugin::stage_info(size_t i) const {
  const fermata_stage& raw = stage(i);
  StageInfo info;
  info.name = std::string(view_of(raw.name));
  info.use = absl::StrCat(short_name_, "/", info.name);
  info.plugin_id = std::string(id());
  info.version = std::string(version());
  info.summary = std::string(view_of(raw.summary));
  info.config_schema = std::string(view_of(raw.config_schema));
  info.input_schema = std::string(view_of(raw.input_schema));
  info.idempotent = (raw.flags & FERMATA_STAGE_IDEMPOTENT) != 0;
  info.streams = (raw.flags & FERMATA_STAGE_STREAMS) != 0;
  info.probes = (raw.flags & FERMATA_STAGE_PROBE) != 0;
  return info;
}

absl::Status LoadedPlugin::init() {
  if (descriptor_->init != nullptr) {
    if (const fermata_status status = descriptor_->init(); status != FERMATA_OK) {
      return refusal(117, file_,
                     absl::StrCat("init() returned ", absl_view(abi_status_name(status))));
    }
  }
  initialised_ = true;
  return absl::OkStatus();
}

void LoadedPlugin::shut_down() {
  if (!initialised_) return;
  initialised_ = false;
  if (descriptor_->quiesce != nullptr) descriptor_->quiesce();
  if (descriptor_->fini != nullptr) descriptor_->fini();
}

std::string_view abi_status_name(fermata_status status) {
  switch (status) {
    case FERMATA_OK:
      return "OK";
    case FERMATA_PENDING:
      return "PENDING";
    case FERMATA_WOULD_BLOCK:
      return "WOULD_BLOCK";
    case FERMATA_E_CANCELLED:
      return "E_CANCELLED";
    case FERMATA_E_DEADLINE:
      return "E_DEADLINE";
    case FERMATA_E_INVALID:
      return "E_INVALID";
    case FERMATA_E_TRANSIENT:
      return "E_TRANSIENT";
    case FERMATA_E_UNAVAILABLE:
      return "E_UNAVAILABLE";
    case FERMATA_E_NOMEM:
      return "E_NOMEM";
    case FERMATA_E_UNSUPPORTED:
      return "E_UNSUPPORTED";
    case FERMATA_E_INTERNAL:
      return "E_INTERNAL";
    case FERMATA_E_CLOSED:
      return "E_CLOSED";
    case FERMATA_E_LOST:
      return "E_LOST";
    default:
      return "an unknown status";
  }
}

}  // namespace fermata
