#include "services/stages/library_finder.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "services/stages/absl_view.h"

namespace fermata {
namespace {

// glibc's format since 2.2: this header, `count` entries, then the strings; offsets count from the
// header's start. An older format may precede it in the same file.
constexpr std::string_view kMagic = "glibc-ld.so.cache1.1";
struct CacheHeader {
  char magic[20];
  uint32_t count;
  uint32_t strings_size;
  uint8_t flags;
  uint8_t padding[3];
  uint32_t extension_offset;
  uint32_t unused[3];
};
struct CacheEntry {
  int32_t flags;
  uint32_t key;
  uint32_t value;
  uint32_t os_version;
  uint64_t hwcap;
};
static_assert(sizeof(CacheHeader) == 48 && sizeof(CacheEntry) == 24);

std::string_view text_at(std::string_view bytes, size_t offset) {
  if (offset >= bytes.size()) return {};
  const size_t end = bytes.find('\0', offset);
  return end == std::string_view::npos ? std::string_view() : bytes.substr(offset, end - offset);
}

void read_cache(std::string_view bytes, std::set<std::string, std::less<>>& names) {
  const size_t start = bytes.find(kMagic);
  if (start == std::string_view::npos) return;
  bytes.remove_prefix(start);
  CacheHeader header;
  if (bytes.size() < sizeof header) return;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.count > (bytes.size() - sizeof header) / sizeof(CacheEntry)) return;
  for (size_t i = 0; i < header.count; ++i) {
    CacheEntry entry;
    std::memcpy(&entry, bytes.data() + sizeof header + i * sizeof entry, sizeof entry);
    std::string_view path = text_at(bytes, entry.value);
    // The cache may be older than the file system.
    if (!path.empty() && ::access(std::string(path).c_str(), R_OK) == 0) {
      names.emplace(text_at(bytes, entry.key));
    }
  }
}

bool in_directories(std::string_view directories, std::string_view origin,
                    std::string_view library) {
  const std::string expanded = absl::StrReplaceAll(
      absl_view(directories), {{"${ORIGIN}", absl_view(origin)}, {"$ORIGIN", absl_view(origin)}});
  for (absl::string_view directory :
       absl::StrSplit(expanded, absl::ByAnyChar(":;"), absl::SkipEmpty())) {
    if (::access(absl::StrCat(directory, "/", absl_view(library)).c_str(), R_OK) == 0) return true;
  }
  return false;
}

}  // namespace

LibraryFinder::LibraryFinder(const std::string& cache_file) {
  std::ifstream in(cache_file, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  read_cache(bytes, cached_);
}

bool LibraryFinder::finds(std::string_view library, std::string_view run_path,
                          std::string_view origin) const {
  const std::string name(library);
  if (name.find('/') != std::string::npos) return ::access(name.c_str(), R_OK) == 0;
  if (cached_.find(library) != cached_.end()) return true;
  if (in_directories(run_path, origin, library)) return true;
  if (const char* path = std::getenv("LD_LIBRARY_PATH");
      path != nullptr && in_directories(path, origin, library)) {
    return true;
  }
  if (in_directories("/lib64:/usr/lib64:/lib:/usr/lib", origin, library)) return true;
  // Already in this process, as the C library always is: maps nothing, runs nothing.
  void* loaded = ::dlopen(name.c_str(), RTLD_LAZY | RTLD_NOLOAD);
  if (loaded != nullptr) ::dlclose(loaded);
  return loaded != nullptr;
}

}  // namespace fermata
