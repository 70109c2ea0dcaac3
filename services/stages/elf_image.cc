#include "services/stages/elf_image.h"

#include <elf.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/stages/absl_view.h"

namespace fermata {
namespace {

// All reads of the file go through here: a copy of T, or false when any byte of it lies outside.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : bytes_(bytes) {}

  size_t size() const { return bytes_.size(); }
  bool holds(uint64_t offset, uint64_t length) const {
    return offset <= bytes_.size() && length <= bytes_.size() - offset;
  }
  template <class T>
  bool read(uint64_t offset, T& out) const {
    if (!holds(offset, sizeof(T))) return false;
    std::memcpy(&out, bytes_.data() + offset, sizeof(T));
    return true;
  }
  std::string_view slice(uint64_t offset, uint64_t length) const {
    return holds(offset, length) ? bytes_.substr(offset, length) : std::string_view();
  }
  // A NUL-terminated string that ends inside the file. All of them together are not much longer
  // than the table they stand in, or a million symbols could name one long string, and each be
  // read.
  std::optional<std::string_view> text(uint64_t offset) {
    if (offset >= bytes_.size()) return std::nullopt;
    const std::string_view rest = bytes_.substr(offset, to_read_);
    const size_t end = rest.find('\0');
    to_read_ -= std::min(end, rest.size());
    if (end == std::string_view::npos) return std::nullopt;
    return rest.substr(0, end);
  }

 private:
  std::string_view bytes_;
  size_t to_read_ = 4 * bytes_.size() + 4096;
};

absl::Status damaged(std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("damaged ELF file: ", absl_view(what)));
}

absl::StatusOr<Elf64_Ehdr> read_header(const Bytes& bytes, std::string_view raw) {
  if (raw.empty()) return absl::InvalidArgumentError("not an ELF shared object (empty file)");
  if (raw.substr(0, SELFMAG) != std::string_view(ELFMAG, SELFMAG)) {
    return absl::InvalidArgumentError(absl::StrCat("not an ELF shared object (first bytes \"",
                                                   absl::CHexEscape(absl_view(raw.substr(0, 4))),
                                                   "\")"));
  }
  Elf64_Ehdr header;
  if (raw.size() > EI_CLASS && raw[EI_CLASS] == ELFCLASS32) {
    return absl::InvalidArgumentError("a 32-bit ELF file, expected 64-bit");
  }
  if (!bytes.read(0, header)) {
    return absl::InvalidArgumentError(
        absl::StrCat("cut short (", raw.size(), " bytes, an ELF header has ", sizeof header, ")"));
  }
  if (header.e_ident[EI_CLASS] != ELFCLASS64) return damaged("unknown class");
  if (header.e_ident[EI_DATA] != ELFDATA2LSB) {
    return absl::InvalidArgumentError("a big-endian ELF file, expected little-endian");
  }
  return header;
}

// The dynamic section, with addresses still virtual.
struct Dynamic {
  std::vector<uint64_t> needed;
  uint64_t strtab = 0, strsz = 0, symtab = 0, syment = 0, hash = 0, gnu_hash = 0;
  uint64_t verneed = 0, verneednum = 0, flags = 0, flags_1 = 0;
  std::optional<uint64_t> runpath, rpath;
  bool textrel = false;
};

class Parser {
 public:
  explicit Parser(std::string_view raw) : raw_(raw), bytes_(raw) {}

  absl::StatusOr<ElfImage> parse() {
    absl::StatusOr<Elf64_Ehdr> header = read_header(bytes_, raw_);
    if (!header.ok()) return header.status();
    if (header->e_type != ET_DYN) {
      return absl::InvalidArgumentError(absl::StrCat("not an ELF shared object (type ",
                                                     header->e_type, ", expected ", ET_DYN, ")"));
    }
    image_.machine = header->e_machine;
    // Section headers are not needed, but they come last: without them the file was cut.
    if (header->e_shoff != 0 &&
        !bytes_.holds(header->e_shoff, uint64_t{header->e_shnum} * header->e_shentsize)) {
      return absl::InvalidArgumentError(absl::StrCat("cut short (", raw_.size(),
                                                     " bytes, its section headers begin at ",
                                                     header->e_shoff, ")"));
    }
    if (absl::Status s = read_segments(*header); !s.ok()) return s;
    if (absl::Status s = read_dynamic(); !s.ok()) return s;
    if (absl::Status s = read_strings(); !s.ok()) return s;
    if (absl::Status s = read_symbols(); !s.ok()) return s;
    if (absl::Status s = read_versions(); !s.ok()) return s;
    return std::move(image_);
  }

 private:
  absl::Status read_segments(const Elf64_Ehdr& header) {
    if (header.e_phnum == 0) return damaged("no program headers");
    if (header.e_phentsize != sizeof(Elf64_Phdr)) return damaged("program header size");
    for (uint64_t i = 0; i < header.e_phnum; ++i) {
      Elf64_Phdr segment;
      if (header.e_phoff > raw_.size() ||
          !bytes_.read(header.e_phoff + i * sizeof(Elf64_Phdr), segment)) {
        return damaged("program headers lie outside the file");
      }
      // Mapping a segment that the file does not hold is a SIGBUS later on.
      if (segment.p_type != PT_NULL && !bytes_.holds(segment.p_offset, segment.p_filesz)) {
        return absl::InvalidArgumentError(absl::StrCat("cut short (", raw_.size(),
                                                       " bytes, segment ", i, " ends at ",
                                                       segment.p_offset + segment.p_filesz, ")"));
      }
      if (segment.p_type == PT_LOAD) loads_.push_back(segment);
      if (segment.p_type == PT_DYNAMIC) dynamic_segment_ = segment;
      if (segment.p_type == PT_NOTE) read_notes(segment);
      if (segment.p_type == PT_GNU_RELRO) image_.relro = true;
      if (segment.p_type == PT_GNU_STACK) image_.executable_stack = (segment.p_flags & PF_X) != 0;
    }
    if (!dynamic_segment_) return damaged("no dynamic section");
    return absl::OkStatus();
  }

  // A note that does not fit ends the segment: the rest cannot be found.
  void read_notes(const Elf64_Phdr& segment) {
    uint64_t at = segment.p_offset;
    const uint64_t end = segment.p_offset + segment.p_filesz;
    const uint64_t align = segment.p_align == 8 ? 8 : 4;
    Elf64_Nhdr note;
    while (at <= end && end - at >= sizeof note && bytes_.read(at, note)) {
      const uint64_t name_at = at + sizeof note;
      const uint64_t text_at = name_at + round_up(note.n_namesz, align);
      const uint64_t next = text_at + round_up(note.n_descsz, align);
      if (text_at + note.n_descsz > end) return;
      std::string_view name = bytes_.slice(name_at, note.n_namesz);
      while (!name.empty() && name.back() == '\0') name.remove_suffix(1);
      image_.notes.push_back({name, note.n_type, bytes_.slice(text_at, note.n_descsz)});
      at = next;
    }
  }

  static uint64_t round_up(uint64_t size, uint64_t align) {
    return (size + align - 1) / align * align;
  }

  // Where in the file the byte of a virtual address is.
  std::optional<uint64_t> file_offset(uint64_t address) const {
    for (const Elf64_Phdr& load : loads_) {
      if (address >= load.p_vaddr && address - load.p_vaddr < load.p_filesz) {
        return load.p_offset + (address - load.p_vaddr);
      }
    }
    return std::nullopt;
  }

  absl::Status read_dynamic() {
    const uint64_t count = dynamic_segment_->p_filesz / sizeof(Elf64_Dyn);
    for (uint64_t i = 0; i < count; ++i) {
      Elf64_Dyn entry;
      if (!bytes_.read(dynamic_segment_->p_offset + i * sizeof entry, entry)) {
        return damaged("dynamic section lies outside the file");
      }
      if (entry.d_tag == DT_NULL) break;
      take_dynamic(entry);
    }
    image_.static_tls = (dynamic_.flags & DF_STATIC_TLS) != 0;
    image_.no_delete = (dynamic_.flags_1 & DF_1_NODELETE) != 0;
    image_.bind_now = (dynamic_.flags & DF_BIND_NOW) != 0 || (dynamic_.flags_1 & DF_1_NOW) != 0;
    image_.text_relocations = dynamic_.textrel || (dynamic_.flags & DF_TEXTREL) != 0;
    return absl::OkStatus();
  }

  void take_dynamic(const Elf64_Dyn& entry) {
    const uint64_t value = entry.d_un.d_val;
    const std::pair<int64_t, uint64_t*> fields[] = {
        {DT_STRTAB, &dynamic_.strtab},   {DT_STRSZ, &dynamic_.strsz},
        {DT_SYMTAB, &dynamic_.symtab},   {DT_SYMENT, &dynamic_.syment},
        {DT_HASH, &dynamic_.hash},       {DT_GNU_HASH, &dynamic_.gnu_hash},
        {DT_VERNEED, &dynamic_.verneed}, {DT_VERNEEDNUM, &dynamic_.verneednum},
        {DT_FLAGS, &dynamic_.flags},     {DT_FLAGS_1, &dynamic_.flags_1},
    };
    for (const auto& [tag, field] : fields) {
      if (entry.d_tag == tag) *field = value;
    }
    if (entry.d_tag == DT_NEEDED) dynamic_.needed.push_back(value);
    if (entry.d_tag == DT_RUNPATH) dynamic_.runpath = value;
    if (entry.d_tag == DT_RPATH) dynamic_.rpath = value;
    if (entry.d_tag == DT_TEXTREL) dynamic_.textrel = true;
  }

  absl::Status read_strings() {
    std::optional<uint64_t> at = file_offset(dynamic_.strtab);
    if (!at || !bytes_.holds(*at, dynamic_.strsz)) return damaged("string table outside the file");
    strings_ = Bytes(bytes_.slice(*at, dynamic_.strsz));
    for (uint64_t name : dynamic_.needed) {
      std::optional<std::string_view> text = strings_.text(name);
      if (!text || text->empty()) return damaged("name of a needed library");
      image_.needed.push_back(*text);
    }
    std::optional<uint64_t> path = dynamic_.runpath ? dynamic_.runpath : dynamic_.rpath;
    if (path) {
      std::optional<std::string_view> text = strings_.text(*path);
      if (!text) return damaged("run path");
      image_.run_path = *text;
    }
    return absl::OkStatus();
  }

  // The dynamic symbol table has no length of its own: the hash tables know it.
  absl::StatusOr<uint64_t> symbol_count() const {
    if (std::optional<uint64_t> at = file_offset(dynamic_.hash); dynamic_.hash != 0 && at) {
      uint32_t chains = 0;
      if (!bytes_.read(*at + sizeof(uint32_t), chains)) return damaged("hash table");
      return chains;
    }
    if (dynamic_.gnu_hash == 0) return damaged("no symbol hash table");
    std::optional<uint64_t> at = file_offset(dynamic_.gnu_hash);
    if (!at) return damaged("hash table outside the file");
    return gnu_symbol_count(*at);
  }

  absl::StatusOr<uint64_t> gnu_symbol_count(uint64_t at) const {
    std::array<uint32_t, 4> head;  // buckets, first hashed symbol, bloom words, shift
    if (!bytes_.read(at, head)) return damaged("hash table");
    const uint64_t buckets_at = at + sizeof head + uint64_t{head[2]} * 8;
    if (!bytes_.holds(buckets_at, uint64_t{head[0]} * 4)) return damaged("hash buckets");
    uint64_t last = 0;
    for (uint64_t i = 0; i < head[0]; ++i) {
      uint32_t first = 0;
      if (!bytes_.read(buckets_at + i * 4, first)) return damaged("hash buckets");
      last = std::max<uint64_t>(last, first);
    }
    if (last < head[1]) return head[1];
    const uint64_t chains_at = buckets_at + uint64_t{head[0]} * 4;
    for (uint32_t hash = 0; (hash & 1) == 0;
         ++last) {  // each step reads on, so the file's end stops it
      if (!bytes_.read(chains_at + (last - head[1]) * 4, hash)) return damaged("hash chain");
    }
    return last;
  }

  absl::Status read_symbols() {
    if (dynamic_.symtab == 0) return damaged("no dynamic symbols");
    if (dynamic_.syment != sizeof(Elf64_Sym)) return damaged("symbol size");
    absl::StatusOr<uint64_t> count = symbol_count();
    if (!count.ok()) return count.status();
    std::optional<uint64_t> at = file_offset(dynamic_.symtab);
    if (!at || *count > bytes_.size() / sizeof(Elf64_Sym) ||
        !bytes_.holds(*at, *count * sizeof(Elf64_Sym))) {
      return damaged("symbol table outside the file");
    }
    for (uint64_t i = 1; i < *count; ++i) {  // the first is a placeholder
      Elf64_Sym symbol;
      if (!bytes_.read(*at + i * sizeof symbol, symbol)) return damaged("symbol table");
      std::optional<std::string_view> name = strings_.text(symbol.st_name);
      if (!name) return damaged("name of a symbol");
      const int binding = ELF64_ST_BIND(symbol.st_info);
      if (binding == STB_LOCAL) continue;
      image_.symbols.push_back({*name, symbol.st_shndx != SHN_UNDEF, binding == STB_GNU_UNIQUE});
    }
    return absl::OkStatus();
  }

  absl::Status read_versions() {
    if (dynamic_.verneed == 0) return absl::OkStatus();
    std::optional<uint64_t> start = file_offset(dynamic_.verneed);
    if (!start) return damaged("needed versions outside the file");
    uint64_t at = *start;
    for (uint64_t i = 0; i < dynamic_.verneednum; ++i) {
      Elf64_Verneed need;
      if (!bytes_.read(at, need)) return damaged("needed versions");
      std::optional<std::string_view> library = strings_.text(need.vn_file);
      if (!library) return damaged("name in needed versions");
      if (absl::Status s = read_library_versions(at + need.vn_aux, need.vn_cnt, *library);
          !s.ok()) {
        return s;
      }
      if (need.vn_next == 0) break;
      at += need.vn_next;
    }
    return absl::OkStatus();
  }

  absl::Status read_library_versions(uint64_t at, uint64_t count, std::string_view library) {
    for (uint64_t i = 0; i < count; ++i) {
      Elf64_Vernaux aux;
      if (!bytes_.read(at, aux)) return damaged("needed versions");
      std::optional<std::string_view> version = strings_.text(aux.vna_name);
      if (!version) return damaged("name in needed versions");
      if (image_.versions.size() >= kMaxVersions) return damaged("too many needed versions");
      image_.versions.push_back({library, *version});
      if (aux.vna_next == 0) break;
      at += aux.vna_next;
    }
    return absl::OkStatus();
  }

  static constexpr size_t kMaxVersions = 4096;

  std::string_view raw_;
  Bytes bytes_;
  Bytes strings_{std::string_view()};
  std::vector<Elf64_Phdr> loads_;
  std::optional<Elf64_Phdr> dynamic_segment_;
  Dynamic dynamic_;
  ElfImage image_;
};

}  // namespace

absl::StatusOr<uint16_t> ElfImage::machine_of(std::string_view bytes) {
  absl::StatusOr<Elf64_Ehdr> header = read_header(Bytes(bytes), bytes);
  if (!header.ok()) return header.status();
  return header->e_machine;
}

absl::StatusOr<ElfImage> ElfImage::parse(std::string_view bytes) { return Parser(bytes).parse(); }

}  // namespace fermata
