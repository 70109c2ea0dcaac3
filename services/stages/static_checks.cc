#include "services/stages/static_checks.h"

#include <elf.h>
#include <gnu/libc-version.h>

#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "plugins/abi/fermata_abi.h"
#include "services/stages/absl_view.h"

namespace fermata {
namespace {

constexpr char kEntry[] = "fermata_plugin_v1";
// Flags of the note that a server must understand or refuse (the others may be ignored).
constexpr uint16_t kMustUnderstand = 0xff00;

std::string machine_name(uint16_t machine) {
  switch (machine) {
    case EM_X86_64:
      return "x86_64";
    case EM_AARCH64:
      return "aarch64";
    case EM_RISCV:
      return "riscv64";
    case EM_PPC64:
      return "ppc64";
    case EM_S390:
      return "s390x";
    case EM_386:
      return "i386";
    case EM_ARM:
      return "arm";
    default:
      return absl::StrCat("machine ", machine);
  }
}

uint16_t this_machine() {
#if defined(__x86_64__)
  return EM_X86_64;
#elif defined(__aarch64__)
  return EM_AARCH64;
#elif defined(__riscv)
  return EM_RISCV;
#else
#error "name this machine here"
#endif
}

// "2.9" is older than "2.36": numbers, not text.
std::vector<int> version_numbers(std::string_view version) {
  std::vector<int> numbers(1, 0);
  for (char c : version) {
    if (c == '.') {
      numbers.push_back(0);
    } else if (c >= '0' && c <= '9' && numbers.back() < 100000) {
      numbers.back() = numbers.back() * 10 + (c - '0');
    } else {
      break;
    }
  }
  return numbers;
}

absl::Status check_abi(std::string_view file, const PluginNote& note, const HostFacts& host) {
  if (note.abi_major != host.abi_major) {
    return refusal(110, file,
                   absl::StrCat(note.version, " needs plugin ABI ", note.abi_major,
                                ", this server offers ", host.abi_major, " (", host.abi_major,
                                ".0-", host.abi_major, ".", host.abi_minor,
                                ") - upgrade the server or build with SDK ", host.abi_major, ".x"));
  }
  if (note.min_host_minor > host.abi_minor) {
    return refusal(111, file,
                   absl::StrCat("uses ABI ", note.abi_major, ".", note.min_host_minor,
                                ", server offers ", host.abi_major, ".", host.abi_minor,
                                " - upgrade the server, or rebuild with -DFERMATA_TARGET_MINOR=",
                                host.abi_minor));
  }
  if ((note.flags & kMustUnderstand) != 0) {
    return refusal(114, file,
                   absl::StrCat("its note has flags 0x", absl::Hex(note.flags),
                                " that this server does not know - upgrade the server"));
  }
  return absl::OkStatus();
}

absl::Status check_entry(std::string_view file, const ElfImage& image) {
  constexpr size_t kShown = 5;
  std::vector<std::string> exports;
  for (const ElfSymbol& symbol : image.symbols) {
    if (!symbol.defined) continue;
    if (symbol.name == kEntry) return absl::OkStatus();
    if (exports.size() < kShown) exports.push_back(shown(symbol.name.substr(0, 80)));
  }
  return refusal(112, file,
                 absl::StrCat("no symbol ", kEntry, " (exports: ",
                              exports.empty() ? "nothing" : absl::StrJoin(exports, ", "),
                              ") - C++ without extern \"C\"? hidden by the version script?"));
}

absl::Status check_libc(std::string_view file, const ElfImage& image, const HostFacts& host) {
  constexpr std::string_view kPrefix = "GLIBC_";
  const std::vector<int> have = version_numbers(host.glibc);
  for (const ElfNeededVersion& need : image.versions) {
    if (need.version.substr(0, kPrefix.size()) != kPrefix) continue;
    if (version_numbers(need.version.substr(kPrefix.size())) <= have) continue;
    return refusal(122, file,
                   absl::StrCat("needs ", shown(need.version), ", server has ", host.glibc,
                                " - build it on this system or an older one"));
  }
  return absl::OkStatus();
}

// What would make two versions of one plugin share state, or fail after a few loads.
absl::Status check_reloadable(std::string_view file, const ElfImage& image, bool own_process) {
  if (image.text_relocations) {
    return refusal(144, file, "has text relocations (DT_TEXTREL) - build with -fPIC");
  }
  if (image.executable_stack) {
    return refusal(145, file, "asks for an executable stack - link with -Wl,-z,noexecstack");
  }
  // A process holds one version, once: there is nothing to share with, and nothing to run out of.
  if (own_process) return absl::OkStatus();
  size_t unique = 0;
  std::string_view first;
  for (const ElfSymbol& symbol : image.symbols) {
    if (!symbol.unique || !symbol.defined) continue;
    if (unique++ == 0) first = symbol.name;
  }
  if (unique > 0) {
    return refusal(140, file,
                   absl::StrCat(unique, " STB_GNU_UNIQUE symbols (first: ", shown(first),
                                ") would share state between versions - link with the SDK's "
                                "version script (plugins/sdk/plugin.map)"));
  }
  if (image.static_tls) {
    return refusal(141, file,
                   "DF_STATIC_TLS: such a plugin can be loaded only a few times - build with "
                   "-ftls-model=global-dynamic");
  }
  return absl::OkStatus();
}

}  // namespace

std::string shown(std::string_view name) {
  constexpr size_t kMost = 256;
  return absl::CHexEscape(absl_view(name.substr(0, kMost)));
}

absl::Status check_dependencies(std::string_view file, const ElfImage& image,
                                std::string_view directory, const LibraryFinder& finder) {
  if (!image.run_path.empty() && image.run_path != "$ORIGIN" && image.run_path != "${ORIGIN}") {
    return refusal(123, file,
                   absl::StrCat("its run path is ", shown(image.run_path),
                                ", only $ORIGIN may be - whoever writes there would be trusted"));
  }
  for (std::string_view library : image.needed) {
    if (finder.finds(library, "", directory)) continue;
    if (finder.finds(library, image.run_path, directory)) {
      return refusal(142, file,
                     absl::StrCat("private dependency ", shown(library),
                                  ": the next version would silently get this one's - link it "
                                  "statically"));
    }
    return refusal(120, file,
                   absl::StrCat("needs ", shown(library), ", not found (run path ",
                                image.run_path.empty() ? "none" : shown(image.run_path),
                                "; ld.so.cache searched) - install it or link statically"));
  }
  return absl::OkStatus();
}

HostFacts HostFacts::here() {
  return {this_machine(), FERMATA_ABI_MAJOR, FERMATA_ABI_MINOR, ::gnu_get_libc_version(), {}};
}

absl::Status refusal(int number, std::string_view file, std::string_view what) {
  return absl::FailedPreconditionError(
      absl::StrCat("PLG-", number, " ", absl_view(file), ": ", absl_view(what)));
}

absl::StatusOr<PluginNote> check_plugin_bytes(std::string_view file, std::string_view bytes,
                                              std::string_view directory,
                                              const LibraryFinder& finder, const HostFacts& host) {
  constexpr char kCopying[] = " - copied while being written? write to a temporary name, then mv";
  absl::StatusOr<uint16_t> machine = ElfImage::machine_of(bytes);
  if (!machine.ok()) {
    return refusal(101, file, absl::StrCat(machine.status().message(), kCopying));
  }
  if (*machine != host.machine) {
    return refusal(102, file,
                   absl::StrCat("built for ", machine_name(*machine), ", this server is ",
                                machine_name(host.machine)));
  }
  absl::StatusOr<ElfImage> image = ElfImage::parse(bytes);
  if (!image.ok()) return refusal(101, file, absl::StrCat(image.status().message(), kCopying));
  absl::StatusOr<PluginNote> note = find_plugin_note(*image);
  if (absl::IsNotFound(note.status())) {
    return refusal(103, file,
                   "no .note.fermata section - not a fermata plugin, or FERMATA_NOTE / "
                   "FERMATA_PLUGIN missing");
  }
  if (!note.ok()) {
    return refusal(104, file,
                   absl::StrCat(note.status().message(), " - write it with FERMATA_NOTE"));
  }
  if (absl::Status s = check_abi(file, *note, host); !s.ok()) return s;
  if (absl::Status s = check_entry(file, *image); !s.ok()) return s;
  if (absl::Status s = check_dependencies(file, *image, directory, finder); !s.ok()) return s;
  if (absl::Status s = check_libc(file, *image, host); !s.ok()) return s;
  const bool own_process = host.own_process && host.own_process(*note);
  if (absl::Status s = check_reloadable(file, *image, own_process); !s.ok()) return s;
  return note;
}

}  // namespace fermata
