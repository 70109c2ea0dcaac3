// ElfImage: what a shared object says about itself, read from its bytes without running or mapping
// it.
//
// dlopen() runs constructors before anyone can look at a symbol, and its own messages mislead (a
// wrong machine is "No such file or directory"), so everything that can be known beforehand is read
// here. The file may be hostile: every offset and count is checked against the bytes at hand, no
// loop runs longer than the file is, and a lie gives an error, never a wild read. Views point into
// the bytes, which must outlive the image. Any thread.
#ifndef SERVICES_STAGES_ELF_IMAGE_H_
#define SERVICES_STAGES_ELF_IMAGE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace fermata {

struct ElfSymbol {
  std::string_view name;
  bool defined = false;
  bool unique = false;  // STB_GNU_UNIQUE: one copy for the whole process, whoever loads it
};

struct ElfNeededVersion {
  std::string_view library;  // "libc.so.6"
  std::string_view version;  // "GLIBC_2.38"
};

struct ElfNote {
  std::string_view name;
  uint32_t type = 0;
  std::string_view description;
};

struct ElfImage {
  uint16_t machine = 0;
  std::vector<std::string_view> needed;    // DT_NEEDED
  std::string_view run_path;               // DT_RUNPATH, or DT_RPATH
  bool static_tls = false;                 // DF_STATIC_TLS
  bool text_relocations = false;           // DF_TEXTREL
  bool executable_stack = false;           // PT_GNU_STACK with PF_X
  bool no_delete = false;                  // DF_1_NODELETE: dlclose() leaves it mapped
  bool bind_now = false;                   // DF_BIND_NOW or DF_1_NOW
  bool relro = false;                      // PT_GNU_RELRO
  std::vector<ElfSymbol> symbols;          // of the dynamic table
  std::vector<ElfNeededVersion> versions;  // of DT_VERNEED
  std::vector<ElfNote> notes;

  // The header alone, so that a wrong machine is named even when nothing else can be read.
  static absl::StatusOr<uint16_t> machine_of(std::string_view bytes);
  // InvalidArgument with what is wrong and where; the caller puts the file's name in front.
  static absl::StatusOr<ElfImage> parse(std::string_view bytes);
};

}  // namespace fermata

#endif  // SERVICES_STAGES_ELF_IMAGE_H_
