// A plugin file's bytes, read before anything of it may run: an image whose views lie inside the
// bytes, a note with legal names, or a refusal with its number.
#include <set>
#include <string>

#include "services/stages/elf_image.h"
#include "services/stages/library_finder.h"
#include "services/stages/plugin_note.h"
#include "services/stages/static_checks.h"
#include "tests/fuzz/fuzz.h"

using namespace fermata;

namespace {

bool inside(std::string_view bytes, std::string_view view) {
  return view.empty() ||
         (view.data() >= bytes.data() && view.data() + view.size() <= bytes.data() + bytes.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes = fuzz::text_of(data, size);
  const absl::StatusOr<ElfImage> image = ElfImage::parse(bytes);
  if (image.ok()) {
    for (const ElfSymbol& symbol : image->symbols) FUZZ_CHECK(inside(bytes, symbol.name));
    for (const std::string_view library : image->needed) FUZZ_CHECK(inside(bytes, library));
    for (const ElfNeededVersion& version : image->versions) {
      FUZZ_CHECK(inside(bytes, version.library) && inside(bytes, version.version));
    }
    for (const ElfNote& note : image->notes) {
      FUZZ_CHECK(inside(bytes, note.name) && inside(bytes, note.description));
    }
    const absl::StatusOr<PluginNote> note = find_plugin_note(*image);
    if (note.ok()) {
      FUZZ_CHECK(valid_plugin_id(note->id));
      FUZZ_CHECK(valid_version(note->version));
    }
  }
  static const LibraryFinder finder("/dev/null");
  static const HostFacts host = HostFacts::here();
  const absl::StatusOr<PluginNote> checked =
      check_plugin_bytes("f.so", bytes, "/nowhere", finder, host);
  if (!checked.ok()) {
    FUZZ_CHECK(checked.status().message().substr(0, 4) == "PLG-");
    FUZZ_CHECK(fuzz::readable(checked.status()));
  }
  return 0;
}
