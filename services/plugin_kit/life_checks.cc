// D: two copies of the plugin beside each other, one replacing the other, and unmapping.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "services/config/str_cat.h"
#include "services/plugin_kit/process_facts.h"
#include "services/plugin_kit/trial.h"
#include "services/stages/loaded_plugin.h"

namespace fermata::kit {
namespace {

// The file under a second name: the dynamic loader gives the same code for the same name. Removed
// at once; what is mapped stays.
absl::StatusOr<std::unique_ptr<PluginLibrary>> open_copy(Subject& subject) {
  const std::filesystem::path original = std::filesystem::absolute(subject.path());
  const char* folder = std::getenv("TMPDIR");
  // Beside the original first, for whatever $ORIGIN leads to.
  for (const std::string& root :
       {original.parent_path().string(), std::string(folder != nullptr ? folder : "/tmp")}) {
    const std::string path =
        str_cat(root, "/.", original.stem().string(), "-second-", ::getpid(), ".so");
    std::ofstream(path, std::ios::binary) << subject.bytes();
    absl::StatusOr<std::unique_ptr<PluginLibrary>> opened = PluginLibrary::open(path);
    std::error_code ignored;
    const bool made = std::filesystem::remove(path, ignored);
    if (made) return opened;
  }
  return absl::FailedPreconditionError("found no folder for a second copy of the file");
}

struct Copy {
  std::unique_ptr<PluginLibrary> library;
  std::unique_ptr<LoadedPlugin> plugin;
};

absl::StatusOr<Copy> second_copy(Subject& subject) {
  Copy copy;
  absl::StatusOr<std::unique_ptr<PluginLibrary>> library = open_copy(subject);
  if (!library.ok()) return library.status();
  copy.library = *std::move(library);
  const fermata_plugin* described = copy.library->describe(LabHost::table());
  if (described == nullptr)
    return absl::FailedPreconditionError("the second copy refused the host");
  auto loaded = LoadedPlugin::from_descriptor("second copy", described);
  if (!loaded.ok()) return loaded.status();
  copy.plugin = *std::move(loaded);
  if (absl::Status status = copy.plugin->init(); !status.ok()) return status;
  return copy;
}

std::string answer(LabHost& host, LabInstance& instance, const Sample& sample) {
  LabCall& call = host.start(instance, sample.input);
  host.run(call);
  return str_cat(call.status, " ", call.has_output ? call.output : std::string("null"));
}

}  // namespace

Result check_side_by_side(Subject& subject) {
  if (subject.isolated()) return skip("each version has a process of its own");
  const absl::StatusOr<const fermata_plugin*> first = subject.plugin();
  if (!first.ok()) return fail(std::string(first.status().message()));
  absl::StatusOr<Copy> second = second_copy(subject);
  if (!second.ok()) return fail(str_cat("second copy: ", from_absl(second.status().message())));
  const fermata_stage& stage = *(*first)->stages[0];
  const fermata_stage& other = second->plugin->stage(0);
  if (&stage == &other || stage.start == other.start) {
    return fail(
        "both copies run the same code: STB_GNU_UNIQUE or a symbol of the first won - link "
        "with the version script plugin.map");
  }
  const absl::StatusOr<std::string> config = subject.config(stage);
  if (!config.ok()) return fail(std::string(config.status().message()));
  const Sample sample = subject.samples(stage).front();
  LabHost host;
  host.on_entry = subject.on_entry;
  std::string failure;
  LabInstance* mine = host.create(stage, *config, &failure);
  LabInstance* theirs = host.create(other, *config, &failure);
  if (mine == nullptr || theirs == nullptr) return skip(str_cat("create() failed: ", failure));
  const std::string expected = answer(host, *mine, sample);
  std::vector<std::string> answers;
  for (int turn = 0; turn < 5; ++turn) {
    answers.push_back(answer(host, *theirs, sample));
    answers.push_back(answer(host, *mine, sample));
  }
  host.destroy(*mine);
  subject.shut_down();
  answers.push_back(answer(host, *theirs, sample));
  host.destroy(*theirs);
  second->plugin->shut_down();
  if (!host.violations().empty()) return fail(host.violations().front().what);
  for (const std::string& given : answers) {
    if (given == expected) continue;
    return fail(str_cat("beside a second copy it answered ", short_text(given), ", alone ",
                        short_text(expected), " - the copies share state"));
  }
  return pass("two copies took turns, one was retired, the other went on as before");
}

Result check_reload_drain(Subject& subject) {
  constexpr int kCalls = 100;
  if (subject.isolated()) return skip("each version has a process of its own");
  const ProcessFacts before = ProcessFacts::now();
  const absl::StatusOr<const fermata_plugin*> first = subject.plugin();
  if (!first.ok()) return fail(std::string(first.status().message()));
  const fermata_stage& stage = *(*first)->stages[0];
  const absl::StatusOr<std::string> config = subject.config(stage);
  if (!config.ok()) return fail(std::string(config.status().message()));
  const Sample sample = subject.samples(stage).front();
  LabHost host;
  host.on_entry = subject.on_entry;
  std::string failure;
  LabInstance* old_instance = host.create(stage, *config, &failure);
  if (old_instance == nullptr) return skip(str_cat("create() failed: ", failure));
  std::vector<LabCall*> calls;
  for (int n = 0; n < kCalls; ++n) calls.push_back(&host.start(*old_instance, sample.input));
  // The new version arrives while the old one's calls are under way.
  absl::StatusOr<Copy> second = second_copy(subject);
  if (!second.ok()) return fail(str_cat("second copy: ", from_absl(second.status().message())));
  LabInstance* new_instance = host.create(second->plugin->stage(0), *config, &failure);
  if (new_instance == nullptr) return fail(str_cat("the second copy's create() failed: ", failure));
  for (int n = 0; n < kCalls; ++n) calls.push_back(&host.start(*new_instance, sample.input));
  for (LabCall* call : calls) host.run(*call);
  host.destroy(*old_instance);
  subject.shut_down();
  host.destroy(*new_instance);
  second->plugin->shut_down();
  if (!host.violations().empty()) return fail(host.violations().front().what);
  const size_t threads = ProcessFacts::now().threads;
  if (threads > before.threads) {
    return fail(str_cat(threads - before.threads,
                        " of its threads run after quiesce() and fini() "
                        "returned - join them in quiesce()"));
  }
  return pass(str_cat(calls.size(), " calls across a switch: none lost, no thread left"));
}

Result check_unload_verified(Subject& subject) {
  if (subject.isolated()) return skip("unloaded with its process");
  if (subject.under_asan()) return skip("a sanitizer keeps it mapped");
  const absl::StatusOr<std::vector<TrialCase>> cases = trial_cases(subject);
  if (!cases.ok()) return fail(std::string(cases.status().message()));
  for (const TrialCase& which : *cases) (void)run_trial(subject, which, LabPlan());
  const absl::StatusOr<PluginLibrary*> library = subject.library();
  subject.shut_down();
  if (subject.on_entry) subject.on_entry("a destructor, while it was unloaded");
  if ((*library)->close()) return pass("after dlclose() its code was gone");
  return warn(
      "after dlclose() its code is still mapped (thread-local destructors, NODELETE or "
      "STB_GNU_UNIQUE) - harmless: the server retires versions and does not unmap them");
}

}  // namespace fermata::kit
