#include "services/stages/plugin_note.h"

#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "plugins/abi/fermata_abi.h"
#include "services/stages/absl_view.h"

namespace fermata {
namespace {

template <size_t kSize>
std::optional<std::string> text_of(const char (&field)[kSize]) {
  const void* end = std::memchr(field, '\0', kSize);
  if (end == nullptr) return std::nullopt;
  return std::string(field);
}

bool name_char(char c) {
  return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '_' || c == '-';
}

}  // namespace

absl::StatusOr<PluginNote> find_plugin_note(const ElfImage& image) {
  constexpr size_t kHeader = offsetof(fermata_note, abi_major);
  constexpr size_t kDescription = sizeof(fermata_note) - kHeader;
  for (const ElfNote& note : image.notes) {
    if (note.name != FERMATA_NOTE_NAME || note.type != FERMATA_NOTE_TYPE) continue;
    // A later minor may append fields; what is known here comes first.
    if (note.description.size() < kDescription) {
      return absl::InvalidArgumentError(absl::StrCat("its note has ", note.description.size(),
                                                     " bytes, expected ", kDescription));
    }
    fermata_note raw;
    std::memcpy(reinterpret_cast<char*>(&raw) + kHeader, note.description.data(), kDescription);
    std::optional<std::string> id = text_of(raw.id);
    std::optional<std::string> version = text_of(raw.version);
    std::optional<std::string> sdk = text_of(raw.sdk);
    if (!id || !version || !sdk) {
      return absl::InvalidArgumentError("a text in its note does not end");
    }
    if (!valid_plugin_id(*id)) {
      return absl::InvalidArgumentError(
          absl::StrCat("its id \"", absl::CHexEscape(*id), "\" is not like \"org.example.fetch\""));
    }
    if (!valid_version(*version)) {
      return absl::InvalidArgumentError(
          absl::StrCat("its version \"", absl::CHexEscape(*version), "\" is not like \"1.2.0\""));
    }
    return PluginNote{raw.abi_major,  raw.abi_minor,       raw.min_host_minor, raw.flags,
                      *std::move(id), *std::move(version), *std::move(sdk)};
  }
  return absl::NotFoundError("no note");
}

std::string short_plugin_name(std::string_view id) {
  const size_t dot = id.rfind('.');
  return std::string(dot == std::string_view::npos ? id : id.substr(dot + 1));
}

bool valid_plugin_id(std::string_view id) {
  int parts = 0;
  for (absl::string_view part : absl::StrSplit(absl_view(id), '.')) {
    if (part.empty()) return false;
    for (char c : part) {
      if (!name_char(c)) return false;
    }
    ++parts;
  }
  return parts >= 2;
}

bool valid_stage_name(std::string_view name) {
  if (name.empty() || name.size() > 48 || !absl::ascii_islower(name.front())) return false;
  for (char c : name) {
    if (!name_char(c)) return false;
  }
  return true;
}

bool valid_version(std::string_view version) {
  const std::string_view core = version.substr(0, version.find_first_of("-+"));
  int numbers = 0;
  for (absl::string_view part : absl::StrSplit(absl_view(core), '.')) {
    if (part.empty() || part.size() > 9) return false;
    for (char c : part) {
      if (!absl::ascii_isdigit(c)) return false;
    }
    ++numbers;
  }
  for (char c : version) {
    if (!absl::ascii_isalnum(c) && c != '.' && c != '-' && c != '+') return false;
  }
  return numbers == 3;
}

}  // namespace fermata
