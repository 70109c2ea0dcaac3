// The ELF reader takes any bytes at all: cut anywhere, or changed anywhere, it answers and never
// reads outside. The sanitizer builds are what gives these tests their teeth.
#include "services/stages/elf_image.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>

#include "gtest/gtest.h"
#include "services/stages/library_finder.h"
#include "services/stages/plugin_note.h"
#include "services/stages/static_checks.h"
#include "tests/stages/testing/host_fixture.h"

namespace fermata {
namespace {

std::string good() { return read_runfile("tests/stages/bad/good.so"); }

// Parses a copy that ends where the bytes end, so that a read past it is seen.
void read_all_of(const std::string& bytes) {
  const std::unique_ptr<char[]> exact(new char[bytes.size()]);
  std::copy(bytes.begin(), bytes.end(), exact.get());
  absl::StatusOr<ElfImage> image = ElfImage::parse({exact.get(), bytes.size()});
  if (!image.ok()) return;
  size_t total = image->run_path.size();
  for (const ElfSymbol& symbol : image->symbols) total += symbol.name.size();
  for (const ElfNeededVersion& version : image->versions)
    total += version.library.size() + version.version.size();
  for (std::string_view library : image->needed) total += library.size();
  for (const ElfNote& note : image->notes) total += note.description.size();
  EXPECT_LE(total, bytes.size() * 64);
  (void)find_plugin_note(*image);
}

TEST(ElfImage, APluginsFactsAreRead) {
  const std::string bytes = good();
  absl::StatusOr<ElfImage> image = ElfImage::parse(bytes);
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_NE(std::find(image->needed.begin(), image->needed.end(), "libc.so.6"),
            image->needed.end());
  bool entry = false;
  bool import = false;
  for (const ElfSymbol& symbol : image->symbols) {
    entry = entry || (symbol.name == "fermata_plugin_v1" && symbol.defined);
    import = import || (symbol.name == "malloc" && !symbol.defined);
  }
  EXPECT_TRUE(entry);
  EXPECT_TRUE(import);
  EXPECT_FALSE(image->versions.empty());
  EXPECT_FALSE(image->static_tls);
  EXPECT_FALSE(image->executable_stack);
  absl::StatusOr<PluginNote> note = find_plugin_note(*image);
  ASSERT_TRUE(note.ok()) << note.status();
  EXPECT_EQ(note->id, "org.example.good");
  EXPECT_EQ(note->version, "1.0.0");
  EXPECT_EQ(note->sdk, "c");
}

TEST(ElfImage, AFileCutAnywhereIsAnswered) {
  const std::string bytes = good();
  for (size_t size = 0; size < std::min<size_t>(bytes.size(), 2048); ++size)
    read_all_of(bytes.substr(0, size));
  for (size_t size = 2048; size < bytes.size(); size += 61) read_all_of(bytes.substr(0, size));
}

TEST(ElfImage, AFileChangedAnywhereIsAnswered) {
  const std::string bytes = good();
  const LibraryFinder finder("/nowhere");
  std::mt19937_64 random(20240607);
  const uint64_t hostile[] = {
      0, 1, 0x7f, 0xffffffff, 0x7fffffffffffffff, 0xfffffffffffffff0, ~uint64_t{0}};
  for (int round = 0; round < 20000; ++round) {
    std::string changed = bytes;
    const int edits = 1 + static_cast<int>(random() % 3);
    for (int i = 0; i < edits; ++i) {
      // Headers and tables sit at the front; most edits go there.
      const size_t range =
          random() % 4 == 0 ? changed.size() : std::min<size_t>(changed.size(), 4096);
      const size_t at = random() % (range - 8);
      const uint64_t value = random() % 2 == 0 ? hostile[random() % 7] : random();
      const size_t width = size_t{1} << (random() % 4);
      std::copy_n(reinterpret_cast<const char*>(&value), width, changed.data() + at);
    }
    read_all_of(changed);
  }
}

TEST(ElfImage, EveryFieldOfTheHeadersMayLie) {
  const std::string bytes = good();
  for (size_t at = 0; at + 8 <= 64 + 14 * 56; at += 4) {
    for (uint64_t value : {uint64_t{0}, uint64_t{0xffffffffffffffff}, uint64_t{0x7fffffffffffffff},
                           uint64_t{1} << 40}) {
      std::string changed = bytes;
      std::copy_n(reinterpret_cast<const char*>(&value), 8, changed.data() + at);
      read_all_of(changed);
    }
  }
}

TEST(PluginNote, IdsVersionsAndStageNamesFollowTheirRules) {
  EXPECT_TRUE(valid_plugin_id("org.example.fetch-2_x"));
  for (const char* id :
       {"", "fetch", "org.", ".org", "org..x", "Org.x", "org.x y", "org.\xc3\xa4"}) {
    EXPECT_FALSE(valid_plugin_id(id)) << id;
  }
  EXPECT_TRUE(valid_version("1.2.0"));
  EXPECT_TRUE(valid_version("1.2.0-rc.1+git5"));
  for (const char* version : {"", "1", "1.2", "1.2.3.4", "v1.2.3", "1.2.x", "1..2", "1.2.3 4"}) {
    EXPECT_FALSE(valid_version(version)) << version;
  }
  EXPECT_TRUE(valid_stage_name("get_it-2"));
  for (const char* name :
       {"", "Get", "2get", "get/it", "a23456789012345678901234567890123456789012345678x"}) {
    EXPECT_FALSE(valid_stage_name(name)) << name;
  }
  EXPECT_EQ(short_plugin_name("dev.fermata.http"), "http");
}

TEST(LibraryFinder, FindsWhatTheLoaderWouldFind) {
  const LibraryFinder finder;
  EXPECT_TRUE(finder.finds("libc.so.6", "", ""));
  EXPECT_FALSE(finder.finds("libghost.so.1", "", ""));
  EXPECT_TRUE(finder.finds("libc.so.6", "$ORIGIN", "/nowhere"));
  const LibraryFinder without_cache("/nowhere");
  EXPECT_FALSE(without_cache.finds("good.so", "", ""));
  EXPECT_TRUE(without_cache.finds("good.so", "$ORIGIN/bad:/elsewhere", "tests/stages"));
}

}  // namespace
}  // namespace fermata
