#include "services/plugin_kit/inspect.h"

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "plugins/abi/fermata_abi.h"
#include "services/config/json.h"
#include "services/config/sha256.h"
#include "services/config/str_cat.h"
#include "services/plugin_kit/subject.h"
#include "services/stages/library_finder.h"
#include "services/stages/static_checks.h"

namespace fermata::kit {
namespace {

// A line of the text, a member of the JSON object: one value, or a list.
struct Fact {
  std::string name;
  std::vector<std::string> values;
  bool list = false;
};

std::string flag_words(uint16_t flags) {
  std::vector<std::string> words;
  if ((flags & FERMATA_PLUGIN_OWNS_THREADS) != 0) words.push_back("owns threads");
  if ((flags & FERMATA_PLUGIN_ISOLATE) != 0) words.push_back("wants a process of its own");
  return words.empty() ? "none" : absl::StrJoin(words, ", ");
}

void add_note(const Subject& subject, std::vector<Fact>& facts) {
  if (!subject.note().ok()) {
    facts.push_back({"note", {std::string(subject.note().status().message())}});
    return;
  }
  const PluginNote& note = *subject.note();
  facts.push_back({"id", {shown(note.id)}});
  facts.push_back({"version", {shown(note.version)}});
  facts.push_back({"abi", {str_cat(note.abi_major, ".", note.abi_minor)}});
  facts.push_back({"needs_abi", {str_cat(note.abi_major, ".", note.min_host_minor)}});
  facts.push_back({"flags", {flag_words(note.flags)}});
  facts.push_back({"sdk", {shown(note.sdk)}});
}

void add_image(const Subject& subject, const ElfImage& image, std::vector<Fact>& facts) {
  Fact exports = {"exports", {}, true};
  size_t imports = 0;
  for (const ElfSymbol& symbol : image.symbols) {
    if (symbol.defined) {
      exports.values.push_back(shown(symbol.name));
    } else {
      ++imports;
    }
  }
  Fact needs = {"needs", {}, true};
  const LibraryFinder finder;
  for (std::string_view library : image.needed) {
    const bool found = finder.finds(library, image.run_path, subject.directory());
    needs.values.push_back(str_cat(shown(library), found ? "" : " (not found here)"));
  }
  std::map<std::string, std::set<std::string>> by_library;
  for (const ElfNeededVersion& need : image.versions) {
    by_library[shown(need.library)].insert(shown(need.version));
  }
  Fact versions = {"symbol_versions", {}, true};
  for (const auto& [library, names] : by_library) {
    versions.values.push_back(str_cat(library, ": ", absl::StrJoin(names, " ")));
  }
  facts.push_back(std::move(exports));
  facts.push_back({"imports", {str_cat(imports, " symbols")}});
  facts.push_back(std::move(needs));
  facts.push_back({"run_path", {image.run_path.empty() ? "none" : shown(image.run_path)}});
  facts.push_back(std::move(versions));
  facts.push_back(
      {"schemas", {"not readable without running its code; fermata plugin check runs it"}});
}

std::string as_text(const std::vector<Fact>& facts) {
  constexpr size_t kColumn = 17;
  std::string out;
  for (const Fact& fact : facts) {
    const std::string title = fact.name + std::string(kColumn - fact.name.size(), ' ');
    if (fact.values.empty()) str_append(&out, title, "nothing\n");
    for (size_t i = 0; i < fact.values.size(); ++i) {
      str_append(&out, i == 0 ? title : std::string(kColumn, ' '), fact.values[i], "\n");
    }
  }
  return out;
}

std::string as_json(const std::vector<Fact>& facts) {
  std::string out = "{";
  for (const Fact& fact : facts) {
    str_append(&out, out.size() > 1 ? "," : "", json_quote(fact.name), ":");
    if (!fact.list) {
      str_append(&out, json_quote(fact.values.front()));
      continue;
    }
    std::vector<std::string> quoted;
    for (const std::string& value : fact.values) quoted.push_back(json_quote(value));
    str_append(&out, "[", absl::StrJoin(quoted, ","), "]");
  }
  return out + "}\n";
}

}  // namespace

absl::StatusOr<std::string> inspect_file(const std::string& path, Format format) {
  CheckOptions options;
  options.file = path;
  const absl::StatusOr<std::unique_ptr<Subject>> subject = Subject::read(options);
  if (!subject.ok()) return subject.status();
  const absl::StatusOr<ElfImage>& image = (*subject)->image();
  if (!image.ok()) {
    return absl::InvalidArgumentError(str_cat(path, ": ", from_absl(image.status().message())));
  }
  std::vector<Fact> facts = {{"file", {path}},
                             {"bytes", {str_cat((*subject)->bytes().size())}},
                             {"sha256", {sha256_hex((*subject)->bytes())}}};
  add_note(**subject, facts);
  add_image(**subject, *image, facts);
  return format == Format::kJson ? as_json(facts) : as_text(facts);
}

}  // namespace fermata::kit
