// P: loading, describing and configuring, by hosts that are not quite this one.
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "services/config/json.h"
#include "services/config/json_schema.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"
#include "services/plugin_kit/process_facts.h"
#include "services/plugin_kit/trial.h"
#include "services/stages/input_check.h"
#include "services/stages/loaded_plugin.h"

namespace fermata::kit {
namespace {

int64_t now_ms() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t{time.tv_sec} * 1000 + time.tv_nsec / 1'000'000;
}

// A host table right before a page that cannot be touched: a plugin that looks past struct_size
// dies there. Never freed: the table outlives the plugin.
fermata_host* table_before_the_edge(const void* bytes, size_t size) {
  const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  void* map = ::mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED) return nullptr;
  auto* end = static_cast<uint8_t*>(map) + page;
  ::mprotect(end, page, PROT_NONE);
  return static_cast<fermata_host*>(std::memcpy(end - size, bytes, size));
}

// The plugin under another table: described, and one call per stage.
Result works_with(Subject& subject, const fermata_host& host, std::string_view what) {
  const absl::StatusOr<PluginLibrary*> library = subject.library();
  if (!library.ok()) return fail(std::string(library.status().message()));
  if (subject.on_entry) subject.on_entry("fermata_plugin_v1()");
  const fermata_plugin* plugin = (*library)->describe(host);
  if (plugin == nullptr) return fail(str_cat("refuses ", what, ", expected a descriptor"));
  auto loaded = LoadedPlugin::from_descriptor("plugin", plugin);
  if (!loaded.ok()) return fail(str_cat(what, ": ", from_absl(loaded.status().message())));
  if (absl::Status status = (*loaded)->init(); !status.ok()) {
    return fail(str_cat(what, ": ", from_absl(status.message())));
  }
  std::string ended;
  for (uint32_t i = 0; i < plugin->n_stages; ++i) {
    const fermata_stage* stage = plugin->stages[i];
    const absl::StatusOr<std::string> config = subject.config(*stage);
    if (!config.ok()) return fail(std::string(config.status().message()));
    const TrialCase which = {stage, *config, subject.samples(*stage).front()};
    const Trial trial = run_trial(subject, which, LabPlan());
    if (const auto fault = trial.fault()) return fail(str_cat(which.name(), ": ", *fault));
    if (ended.empty()) ended = str_cat(which.name(), " ended ", trial.outcome());
  }
  (*loaded)->shut_down();
  return pass(str_cat("works with ", what, "; ", ended));
}

absl::StatusOr<const fermata_plugin*> plugin_of(Subject& subject) { return subject.plugin(); }

}  // namespace

Result check_load_now(Subject& subject) {
  constexpr int64_t kSlowMs = 100;
  const ProcessFacts before = ProcessFacts::now();
  const int64_t began = now_ms();
  if (subject.on_entry) subject.on_entry("a constructor, while it was loaded");
  const absl::StatusOr<PluginLibrary*> library = subject.library();
  const int64_t took = now_ms() - began;
  if (!library.ok()) {
    return fail(str_cat("dlopen: ", from_absl(library.status().message()),
                        " - link with -Wl,-z,defs to catch what is missing at build time"));
  }
  const std::vector<std::string> changes = ProcessFacts::now().changes_since(before);
  if (!changes.empty()) {
    const std::string text = str_cat("loading it changed: ", absl::StrJoin(changes, ", "));
    if (subject.isolated()) return pass(text + " (in a process of its own it may)");
    return fail(text + " - do nothing in constructors; init() is the place");
  }
  if (took > kSlowMs) {
    return warn(str_cat("its constructors took ", took, " ms, expected at most ", kSlowMs,
                        " ms - move the work to init()"));
  }
  return pass("loaded; its constructors changed nothing");
}

Result check_describe_pure(Subject& subject) {
  const absl::StatusOr<PluginLibrary*> library = subject.library();
  if (!library.ok()) return fail(std::string(library.status().message()));
  const fermata_plugin* first = (*library)->describe(LabHost::table());
  const fermata_plugin* second = (*library)->describe(LabHost::table());
  if (first == nullptr) return fail("fermata_plugin_v1 returned NULL to a host of this ABI");
  if (first != second) {
    return fail("two calls of fermata_plugin_v1 gave two descriptors - return a static one");
  }
  const auto loaded = LoadedPlugin::from_descriptor("plugin", first);
  if (!loaded.ok()) return fail(std::string(loaded.status().message()));
  for (uint32_t i = 0; i < first->n_stages; ++i) {
    const fermata_stage& stage = *first->stages[i];
    for (fermata_str text : {stage.name, stage.summary, stage.config_schema, stage.input_schema}) {
      if (is_utf8(view_of(text))) continue;
      return fail(str_cat("stage ", view_of(stage.name), ": \"", short_text(view_of(text)),
                          "\" is not UTF-8"));
    }
  }
  if (!subject.note().ok()) return skip("no note to compare with");
  const PluginNote& note = *subject.note();
  if (view_of(first->id) != note.id || view_of(first->version) != note.version) {
    return fail(str_cat("the note says ", note.id, " ", note.version, ", the descriptor ",
                        view_of(first->id), " ", view_of(first->version), " - one is stale"));
  }
  if ((note.flags & FERMATA_PLUGIN_ISOLATE) != (first->flags & FERMATA_PLUGIN_ISOLATE)) {
    return fail(str_cat("the note has flags ", note.flags, ", the descriptor ", first->flags,
                        ": FERMATA_PLUGIN_ISOLATE must be in both or in none"));
  }
  return pass(str_cat(first->n_stages, first->n_stages == 1 ? " stage" : " stages",
                      ", the same descriptor twice, as in the note"));
}

Result check_small_host(Subject& subject) {
  // The table as it was in the minor that the plugin says it needs; in minor 0 it ends here.
  static_assert(FERMATA_ABI_MINOR == 0, "name the end of the table of each minor here");
  const size_t size = offsetof(fermata_host, metric_update) + sizeof(void*);
  fermata_host* host = table_before_the_edge(&LabHost::table(), size);
  if (host == nullptr) return skip("no memory for a table");
  host->struct_size = static_cast<uint32_t>(size);
  host->abi_minor = subject.note().ok() ? subject.note()->min_host_minor : 0;
  return works_with(
      subject, *host,
      str_cat("a host of ABI 1.", host->abi_minor, ", ", size, " bytes of table, no extensions"));
}

Result check_big_host(Subject& subject) {
  constexpr size_t kMore = 256;
  std::vector<uint8_t> bytes(sizeof(fermata_host) + kMore, 0xAA);
  std::memcpy(bytes.data(), &LabHost::table(), sizeof(fermata_host));
  fermata_host* host = table_before_the_edge(bytes.data(), bytes.size());
  if (host == nullptr) return skip("no memory for a table");
  host->struct_size = static_cast<uint32_t>(bytes.size());
  host->abi_minor = 99;
  return works_with(
      subject, *host,
      str_cat("a host of ABI 1.99 whose table has ", bytes.size(), " bytes, most of them unknown"));
}

Result check_wrong_major(Subject& subject) {
  const absl::StatusOr<PluginLibrary*> library = subject.library();
  if (!library.ok()) return fail(std::string(library.status().message()));
  fermata_host* other = table_before_the_edge(&LabHost::table(), sizeof(fermata_host));
  constexpr uint32_t kTiny = offsetof(fermata_host, extension);
  fermata_host* tiny = table_before_the_edge(&LabHost::table(), kTiny);
  if (other == nullptr || tiny == nullptr) return skip("no memory for a table");
  other->abi_major = 2;
  tiny->struct_size = kTiny;
  if (subject.on_entry) subject.on_entry("fermata_plugin_v1() with a host of ABI 2");
  if ((*library)->describe(*other) != nullptr) {
    return fail(
        "answers a host of ABI 2 with a descriptor, expected NULL - begin "
        "fermata_plugin_v1 with: if (host->abi_major != FERMATA_ABI_MAJOR) return NULL");
  }
  if (subject.on_entry) subject.on_entry("fermata_plugin_v1() with a table without functions");
  if ((*library)->describe(*tiny) != nullptr) {
    return fail(str_cat("answers a host whose table has ", kTiny,
                        " bytes and no functions with a descriptor, expected NULL - check "
                        "FERMATA_HAS(fermata_host, host, <the last function you call>)"));
  }
  return pass("refuses a host of ABI 2, and one whose table is too short");
}

Result check_schema_valid(Subject& subject) {
  const absl::StatusOr<const fermata_plugin*> plugin = plugin_of(subject);
  if (!plugin.ok()) return fail(std::string(plugin.status().message()));
  size_t schemas = 0;
  for (uint32_t i = 0; i < (*plugin)->n_stages; ++i) {
    const fermata_stage& stage = *(*plugin)->stages[i];
    for (const auto& [which, text] :
         {std::pair{"config_schema", stage.config_schema}, {"input_schema", stage.input_schema}}) {
      const auto schema = compile_schema(view_of(text));
      if (!schema.ok()) {
        return fail(
            str_cat(view_of(stage.name), ".", which, ": ", from_absl(schema.status().message())));
      }
      if (*schema != nullptr) ++schemas;
    }
    const absl::StatusOr<std::string> config = subject.config(stage);
    if (!config.ok()) {
      return fail(str_cat(view_of(stage.name), ": its config_schema refuses the config (",
                          from_absl(config.status().message()),
                          ") - put one that works into testdata/", view_of(stage.name),
                          "/config.json"));
    }
    LabHost host;
    std::string failure;
    LabInstance* instance = host.create(stage, *config, &failure);
    if (instance == nullptr) {
      return fail(str_cat(view_of(stage.name), ": create() refused the config ",
                          short_text(*config), ": ", failure,
                          " - put one that works into "
                          "testdata/",
                          view_of(stage.name), "/config.json"));
    }
    host.destroy(*instance);
  }
  return pass(
      str_cat(schemas, " schemas compile, their defaults make a config that create() takes"));
}

Result check_config_reject(Subject& subject) {
  const absl::StatusOr<const fermata_plugin*> plugin = plugin_of(subject);
  if (!plugin.ok()) return fail(std::string(plugin.status().message()));
  // The server checks a config against the schema first; what the schema allows must not hurt.
  const std::vector<std::string> configs = {"null",
                                            "[]",
                                            "17",
                                            "{\"\":null}",
                                            str_cat("{\"a\":\"", std::string(1 << 20, 'x'), "\"}"),
                                            str_cat(std::string(90, '['), std::string(90, ']')),
                                            "{\"n\":-9223372036854775808}",
                                            "\"\\u0000\\ud83d\\ude00\""};
  size_t given = 0, refused = 0;
  for (uint32_t i = 0; i < (*plugin)->n_stages; ++i) {
    const fermata_stage& stage = *(*plugin)->stages[i];
    const auto schema = compile_schema(view_of(stage.config_schema));
    if (!schema.ok()) return fail(std::string(schema.status().message()));
    for (const std::string& text : configs) {
      const absl::StatusOr<std::string> config = check_json(schema->get(), text);
      if (!config.ok()) continue;
      ++given;
      LabHost host;
      if (subject.on_entry) host.on_entry = subject.on_entry;
      std::string failure;
      LabInstance* instance = host.create(stage, *config, &failure);
      if (instance != nullptr) {
        host.destroy(*instance);
        continue;
      }
      ++refused;
      if (failure.ends_with(": ")) {
        return warn(
            str_cat(view_of(stage.name), ": create() refused ", short_text(text),
                    " without a reason - say it with fail_detail(instance_call(...), ...)"));
      }
    }
  }
  return pass(str_cat(given, " strange configs that its schema allows, ", refused,
                      " refused with a reason"));
}

Result check_create_destroy_loop(Subject& subject) {
  constexpr int kWarm = 100;
  constexpr int kRounds = 1000;
  constexpr int kLoops = 4;
  constexpr size_t kMaxGrowth = size_t{2} << 20;
  const absl::StatusOr<const fermata_plugin*> plugin = plugin_of(subject);
  if (!plugin.ok()) return fail(std::string(plugin.status().message()));
  for (uint32_t i = 0; i < (*plugin)->n_stages; ++i) {
    const fermata_stage& stage = *(*plugin)->stages[i];
    const absl::StatusOr<std::string> config = subject.config(stage);
    if (!config.ok()) return fail(std::string(config.status().message()));
    ProcessFacts before;
    for (int round = 0; round < kWarm + kRounds; ++round) {
      if (round == kWarm) before = ProcessFacts::now();
      LabHost host;
      std::string failure;
      std::vector<LabInstance*> instances;
      for (int loop = 0; loop < kLoops; ++loop) {
        LabInstance* instance = host.create(stage, *config, &failure);
        if (instance == nullptr) return skip(str_cat("create() failed: ", failure));
        instances.push_back(instance);
      }
      for (LabInstance* instance : instances) host.destroy(*instance);
      if (!host.violations().empty()) return fail(host.violations().front().what);
    }
    const ProcessFacts after = ProcessFacts::now();
    const std::vector<std::string> changes = after.changes_since(before);
    if (!changes.empty()) {
      return fail(str_cat(view_of(stage.name), ": ", kRounds, " times create and destroy on ",
                          kLoops, " loops left behind: ", absl::StrJoin(changes, ", ")));
    }
    if (!subject.under_asan() && after.resident_bytes > before.resident_bytes + kMaxGrowth) {
      return fail(str_cat(view_of(stage.name), ": ", kRounds, " times create and destroy on ",
                          kLoops, " loops grew the process from ", before.resident_bytes >> 10,
                          " to ", after.resident_bytes >> 10, " KiB, expected at most ",
                          kMaxGrowth >> 10, " KiB more - destroy() frees what create() made"));
    }
  }
  return pass(str_cat(kRounds, " times create and destroy on ", kLoops, " loops: nothing left"));
}

}  // namespace fermata::kit
