#include "services/frontend/resource_name.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"
#include "services/engine/errors.h"

namespace fermata::frontend {
namespace {

constexpr std::string_view kJobs = "jobs/";
constexpr std::string_view kPipelines = "pipelines/";
constexpr size_t kMaxJobId = 64;
constexpr size_t kMaxPipelineId = 128;

std::string_view without(std::string_view prefix, std::string_view name) {
  if (name.substr(0, prefix.size()) == prefix) name.remove_prefix(prefix.size());
  return name;
}

bool is_id_character(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
}

absl::Status bad_name(std::string_view field, std::string_view form, std::string_view got) {
  return invalid_field(field, str_cat("expected ", form, ", got ", got.empty() ? "nothing" : "'",
                                      utf8_preview(got, 80), got.empty() ? "" : "'"));
}

}  // namespace

absl::StatusOr<std::string> job_id_of(std::string_view name, std::string_view field) {
  const std::string_view id = without(kJobs, name);
  if (id.empty() || id.size() > kMaxJobId || !std::all_of(id.begin(), id.end(), is_id_character)) {
    return bad_name(field, "jobs/{id}", name);
  }
  return std::string(id);
}

absl::StatusOr<std::string> pipeline_id_of(std::string_view name, std::string_view field) {
  const std::string_view id = without(kPipelines, name);
  const bool printable = std::all_of(id.begin(), id.end(), [](char c) {
    return c != '/' && !absl::ascii_iscntrl(static_cast<unsigned char>(c));
  });
  if (id.empty() || id.size() > kMaxPipelineId || !printable) {
    return bad_name(field, "pipelines/{id}", name);
  }
  return std::string(id);
}

}  // namespace fermata::frontend
