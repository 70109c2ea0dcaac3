// S: what the file's bytes say. Runs no code of it.
#include <elf.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "services/config/str_cat.h"
#include "services/plugin_kit/subject.h"
#include "services/stages/library_finder.h"
#include "services/stages/static_checks.h"

namespace fermata::kit {
namespace {

constexpr char kEntry[] = "fermata_plugin_v1";
constexpr char kIsolated[] = "asks for a process of its own: loaded once in it, never unloaded";

std::string listed(const std::vector<std::string>& names) {
  constexpr size_t kShown = 5;
  std::vector<std::string> shown(names.begin(), names.begin() + std::min(names.size(), kShown));
  const std::string text = absl::StrJoin(shown, ", ");
  return names.size() > kShown ? str_cat(text, ", and ", names.size() - kShown, " more") : text;
}

// The highest of "GLIBC_2.17", "GLIBC_2.34": numbers, not text.
std::vector<int> numbers_of(std::string_view version) {
  std::vector<int> numbers;
  for (absl::string_view part : absl::StrSplit(for_absl(version), '.')) {
    int number = 0;
    if (!absl::SimpleAtoi(part, &number)) break;
    numbers.push_back(number);
  }
  return numbers;
}

std::string floor_of(const ElfImage& image, std::string_view prefix) {
  std::string highest;
  for (const ElfNeededVersion& need : image.versions) {
    if (!need.version.starts_with(prefix)) continue;
    const std::string_view version = need.version.substr(prefix.size());
    if (highest.empty() || numbers_of(version) > numbers_of(highest)) highest = version;
  }
  return highest;
}

bool sanitized(const ElfImage& image) {
  return std::any_of(image.symbols.begin(), image.symbols.end(), [](const ElfSymbol& symbol) {
    return symbol.name.starts_with("__asan_") || symbol.name.starts_with("__ubsan_") ||
           symbol.name.starts_with("__tsan_");
  });
}

}  // namespace

Result check_elf_valid(Subject& subject) {
  const absl::StatusOr<uint16_t> machine = ElfImage::machine_of(subject.bytes());
  if (!machine.ok()) return fail(std::string(machine.status().message()));
  const uint16_t here = HostFacts::here().machine;
  if (*machine != here) {
    return fail(str_cat("built for machine ", *machine, ", this one is ", here,
                        " (e_machine) - build it here or check it there"));
  }
  if (!subject.image().ok()) return fail(std::string(subject.image().status().message()));
  return pass(str_cat("a shared object of ", subject.bytes().size(), " bytes for this machine"));
}

Result check_note_present(Subject& subject) {
  if (!subject.note().ok()) {
    return fail(str_cat(from_absl(subject.note().status().message()),
                        " - write it with FERMATA_NOTE or FERMATA_PLUGIN, once"));
  }
  const PluginNote& note = *subject.note();
  const HostFacts here = HostFacts::here();
  if (note.abi_major != here.abi_major) {
    return fail(str_cat("ABI ", note.abi_major, ", this kit knows ", here.abi_major,
                        " - build with its fermata_abi.h"));
  }
  if (note.min_host_minor > note.abi_minor) {
    return fail(str_cat("needs ABI minor ", note.min_host_minor, ", its header is of minor ",
                        note.abi_minor, " - FERMATA_TARGET_MINOR is too high"));
  }
  constexpr int kKnown = FERMATA_PLUGIN_OWNS_THREADS | FERMATA_PLUGIN_ISOLATE;
  if ((note.flags & ~kKnown) != 0) {
    return fail(str_cat("flags ", note.flags, ", only bits ", kKnown, " mean anything in ABI ",
                        note.abi_major, ".", note.abi_minor));
  }
  return pass(str_cat(note.id, " ", note.version, ", ABI ", note.abi_major, ".",
                      note.min_host_minor, ", made with ", note.sdk));
}

Result check_entry_only_export(Subject& subject) {
  if (!subject.image().ok()) return skip("no ELF image to look at");
  bool entry = false;
  std::vector<std::string> others;
  for (const ElfSymbol& symbol : subject.image()->symbols) {
    if (!symbol.defined) continue;
    if (symbol.name == kEntry) {
      entry = true;
    } else {
      others.push_back(shown(symbol.name.substr(0, 60)));
    }
  }
  if (!entry) {
    return fail(str_cat("does not export ", kEntry,
                        " (exports: ", others.empty() ? "nothing" : listed(others),
                        ") - C++ without extern \"C\"? hidden by the version script?"));
  }
  if (others.empty()) return pass(str_cat("exports ", kEntry, " and nothing else"));
  return warn(str_cat("exports ", others.size(), " symbols besides ", kEntry, ": ", listed(others),
                      " - link with the version script plugin.map"));
}

Result check_no_gnu_unique(Subject& subject) {
  if (subject.isolated()) return skip(kIsolated);
  if (!subject.image().ok()) return skip("no ELF image to look at");
  std::vector<std::string> unique;
  for (const ElfSymbol& symbol : subject.image()->symbols) {
    if (symbol.unique && symbol.defined) unique.push_back(shown(symbol.name.substr(0, 60)));
  }
  if (unique.empty()) return pass("no STB_GNU_UNIQUE symbols");
  return fail(
      str_cat(unique.size(), " STB_GNU_UNIQUE symbols (", listed(unique),
              "): two versions would share them - link with the version script plugin.map"));
}

Result check_no_static_tls(Subject& subject) {
  if (subject.isolated()) return skip(kIsolated);
  if (!subject.image().ok()) return skip("no ELF image to look at");
  if (!subject.image()->static_tls) return pass("no DF_STATIC_TLS");
  return fail(
      "DF_STATIC_TLS: only a few reloads find room - build with "
      "-ftls-model=global-dynamic");
}

Result check_unloadable(Subject& subject) {
  if (subject.isolated()) return skip(kIsolated);
  if (!subject.image().ok()) return skip("no ELF image to look at");
  if (subject.image()->no_delete) {
    return warn("DF_1_NODELETE: retired versions stay mapped for ever - link without -z nodelete");
  }
  std::vector<std::string> pins;
  for (const ElfSymbol& symbol : subject.image()->symbols) {
    if (symbol.defined) continue;
    if (symbol.name.starts_with("__cxa_thread_atexit") || symbol.name == "pthread_key_create") {
      pins.emplace_back(symbol.name);
    }
  }
  if (pins.empty()) return pass("nothing in it keeps it mapped");
  return pass(str_cat("may stay mapped when retired (imports ", listed(pins),
                      "): the server never unmaps in any case"));
}

Result check_hardening(Subject& subject) {
  if (!subject.image().ok()) return skip("no ELF image to look at");
  const ElfImage& image = *subject.image();
  if (image.text_relocations) return fail("text relocations (DT_TEXTREL) - build with -fPIC");
  if (image.executable_stack) {
    return fail("asks for an executable stack - link with -Wl,-z,noexecstack");
  }
  if (!image.relro) return warn("no PT_GNU_RELRO - link with -Wl,-z,relro");
  if (!image.bind_now) {
    return warn("lazy binding: relocation in the middle of a job - link with -Wl,-z,now");
  }
  return pass("no text relocations, no executable stack, RELRO, BIND_NOW");
}

Result check_deps_resolve(Subject& subject) {
  if (!subject.image().ok()) return skip("no ELF image to look at");
  const ElfImage& image = *subject.image();
  const absl::Status found =
      check_dependencies(subject.path(), image, subject.directory(), LibraryFinder());
  if (!found.ok()) return fail(std::string(found.message()));
  return pass(str_cat(image.needed.size(), " libraries, all found"));
}

Result check_libc_floor(Subject& subject) {
  if (!subject.image().ok()) return skip("no ELF image to look at");
  const std::string glibc = floor_of(*subject.image(), "GLIBC_");
  const std::string libstdcpp = floor_of(*subject.image(), "GLIBCXX_");
  const std::string found = str_cat("needs glibc ", glibc.empty() ? "any" : glibc, ", libstdc++ ",
                                    libstdcpp.empty() ? "none" : libstdcpp);
  const std::string& target = subject.options().target_glibc;
  if (!target.empty() && numbers_of(glibc) > numbers_of(target)) {
    return fail(str_cat(found, ", the target has ", target,
                        " - build on the oldest system it has to run on"));
  }
  return pass(found);
}

Result check_forbidden_imports(Subject& subject) {
  if (!subject.image().ok()) return skip("no ELF image to look at");
  if (subject.isolated()) return skip("in a process of its own it may use them");
  static const std::set<std::string_view> kForbidden = {
      "exit",      "_exit", "_Exit",  "quick_exit", "fork",   "vfork",        "signal",
      "sigaction", "chdir", "setenv", "unsetenv",   "putenv", "dlopen",       "setlocale",
      "longjmp",   "umask", "setuid", "setrlimit",  "system", "__longjmp_chk"};
  std::vector<std::string> found;
  for (const ElfSymbol& symbol : subject.image()->symbols) {
    if (!symbol.defined && kForbidden.count(symbol.name) != 0) found.emplace_back(symbol.name);
  }
  if (found.empty()) return pass("imports nothing that changes the whole process");
  const std::string text = str_cat("imports ", listed(found));
  if (sanitized(*subject.image())) return pass(text + " (a sanitizer's, perhaps)");
  return warn(text + ": these act on the whole server - avoid them, or set FERMATA_PLUGIN_ISOLATE");
}

}  // namespace fermata::kit
