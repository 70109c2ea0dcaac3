#include "services/config/yaml_reader.h"

#include <algorithm>

#include "absl/strings/str_join.h"
#include "services/config/bytes.h"
#include "services/config/duration.h"
#include "services/config/nearest_name.h"
#include "services/config/utf8.h"

namespace fermata {
namespace {

const YamlNode& empty_mapping() {
  static const YamlNode* node = [] {
    YamlNode* made = new YamlNode;
    made->kind = YamlNode::Kind::kMapping;
    return made;
  }();
  return *node;
}

template <typename T>
std::string range_text(std::string_view kind, const T& min, const T& max) {
  return str_cat(kind, " from ", min, " to ", max);
}

// A plain scalar as a JSON number, by the same rules as everywhere else.
JsonValue number_of(const YamlNode& node) {
  JsonDocument document;
  JsonValue value = yaml_to_json(node, document.GetAllocator());
  return value.IsNumber() ? std::move(value) : JsonValue();
}

}  // namespace

void YamlErrors::add(YamlMark mark, std::string_view message) {
  errors_.push_back({mark, std::string(message)});
}

void YamlErrors::add(YamlMark mark, std::string_view what, std::string_view expected,
                     std::string_view got) {
  add(mark, str_cat(what, ", expected ", expected, ", got ", got));
}

absl::Status YamlErrors::status() const {
  if (errors_.empty()) return absl::OkStatus();
  std::vector<Error> sorted = errors_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Error& a, const Error& b) {
    return std::pair(a.mark.line, a.mark.column) < std::pair(b.mark.line, b.mark.column);
  });
  std::string text;
  for (size_t i = 0; i < sorted.size() && i < kShown; ++i) {
    str_append(&text, i > 0 ? "\n" : "", filename_, ":", sorted[i].mark.line, ":",
               sorted[i].mark.column, ": ", sorted[i].message);
  }
  if (sorted.size() > kShown) {
    str_append(&text, "\n", filename_, ": and ", sorted.size() - kShown, " more errors");
  }
  return absl::InvalidArgumentError(text);
}

YamlReader::YamlReader(YamlErrors& errors, const YamlNode& node, std::string_view path)
    : errors_(&errors), node_(&node), path_(path) {
  if (node.kind == YamlNode::Kind::kMapping) return;
  errors.add(node.mark, path_.empty() ? "the file" : path_, "a mapping", node.describe());
  node_ = &empty_mapping();
}

std::string YamlReader::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : str_cat(path_, ".", key);
}

void YamlReader::error(const YamlNode& node, std::string_view key, std::string_view expected) {
  errors_->add(node.mark, path_of(key), expected, node.describe());
}

const YamlNode* YamlReader::find(std::string_view key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.emplace_back(key);
  return node_->find(key);
}

bool YamlReader::has(std::string_view key) { return find(key) != nullptr; }

const YamlNode* YamlReader::scalar(std::string_view key, std::string_view expected) {
  const YamlNode* node = find(key);
  if (node == nullptr) return nullptr;
  if (node->kind == YamlNode::Kind::kScalar && !node->is_null()) return node;
  error(*node, key, expected);
  return nullptr;
}

std::string YamlReader::text(std::string_view key, std::string_view fallback) {
  const YamlNode* node = scalar(key, "text");
  return node == nullptr ? std::string(fallback) : node->scalar;
}

std::string YamlReader::required_text(std::string_view key) {
  if (!has(key)) {
    errors_->add(node_->mark, path_.empty() ? "the file" : path_, str_cat("the key '", key, "'"),
                 "a mapping without it");
    return "";
  }
  return text(key, "");
}

bool YamlReader::boolean(std::string_view key, bool fallback) {
  const YamlNode* node = scalar(key, "true or false");
  if (node == nullptr) return fallback;
  if (!node->quoted && node->scalar == "true") return true;
  if (!node->quoted && node->scalar == "false") return false;
  error(*node, key, "true or false");
  return fallback;
}

int64_t YamlReader::integer(std::string_view key, int64_t fallback, YamlRange<int64_t> range) {
  std::string expected = range_text("a whole number", range.min, range.max);
  const YamlNode* node = scalar(key, expected);
  if (node == nullptr) return fallback;
  JsonValue value = number_of(*node);
  if (value.IsInt64() && value.GetInt64() >= range.min && value.GetInt64() <= range.max) {
    return value.GetInt64();
  }
  error(*node, key, expected);
  return fallback;
}

double YamlReader::number(std::string_view key, double fallback, YamlRange<double> range) {
  std::string expected = range_text("a number", range.min, range.max);
  const YamlNode* node = scalar(key, expected);
  if (node == nullptr) return fallback;
  JsonValue value = number_of(*node);
  if (value.IsNumber() && value.GetDouble() >= range.min && value.GetDouble() <= range.max) {
    return value.GetDouble();
  }
  error(*node, key, expected);
  return fallback;
}

absl::Duration YamlReader::duration(std::string_view key, absl::Duration fallback,
                                    YamlRange<absl::Duration> range) {
  std::string expected =
      range_text("a duration", format_duration(range.min), format_duration(range.max));
  const YamlNode* node = scalar(key, expected);
  if (node == nullptr) return fallback;
  absl::StatusOr<absl::Duration> value = parse_duration(node->scalar);
  if (value.ok() && *value >= range.min && *value <= range.max) return *value;
  error(*node, key, expected);
  return fallback;
}

uint64_t YamlReader::bytes(std::string_view key, uint64_t fallback, YamlRange<uint64_t> range) {
  std::string expected = range_text("a size", format_bytes(range.min), format_bytes(range.max));
  const YamlNode* node = scalar(key, expected);
  if (node == nullptr) return fallback;
  absl::StatusOr<uint64_t> value = parse_bytes(node->scalar);
  if (value.ok() && *value >= range.min && *value <= range.max) return *value;
  error(*node, key, expected);
  return fallback;
}

int YamlReader::choose(std::string_view key, const std::vector<std::string>& names) {
  std::string expected = absl::StrJoin(names, " or ");
  const YamlNode* node = scalar(key, expected);
  if (node == nullptr) return -1;
  for (size_t i = 0; i < names.size(); ++i) {
    if (node->scalar == names[i]) return static_cast<int>(i);
  }
  errors_->add(node->mark, path_of(key), expected,
               node->describe() + (node->secret ? "" : did_you_mean(node->scalar, names)));
  return -1;
}

YamlReader YamlReader::child(std::string_view key) {
  const YamlNode* node = find(key);
  bool absent = node == nullptr || node->is_null();
  return YamlReader(*errors_, absent ? empty_mapping() : *node, path_of(key));
}

void YamlReader::finish(const std::vector<std::string>& later) {
  for (const YamlMember& member : node_->members) {
    if (std::find(known_.begin(), known_.end(), member.key) != known_.end()) continue;
    std::string what = str_cat(path_.empty() ? "" : path_ + ": ", "unknown key '",
                               utf8_preview(member.key, 40), "'");
    if (std::find(later.begin(), later.end(), member.key) != later.end()) {
      errors_->add(member.mark, str_cat(what, ", this version does not support it yet"));
      continue;
    }
    std::string hint = did_you_mean(member.key, known_);
    if (hint.empty()) hint = str_cat(", expected one of ", absl::StrJoin(known_, ", "));
    errors_->add(member.mark, what + hint);
  }
}

}  // namespace fermata
