#pragma once

// YAML as a tree in which every node and every key knows its line and column.
//
// Built from yaml-cpp's events rather than its nodes: those forget where keys were, share aliases
// silently and keep the last of two equal keys. Here a key given twice, a tag, a merge key, a
// second document, an alias that makes the file explode, or a file that is too large, too deep or
// not UTF-8 is an error with its place. Files are small and read once; a tree belongs to whoever
// parsed it.

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "services/config/json.h"

namespace fermata {

struct YamlMark {
  int line = 1;
  int column = 1;
};

struct YamlNode;

struct YamlMember {
  std::string key;
  YamlMark mark;  // of the key
  std::shared_ptr<const YamlNode> value;
};

struct YamlNode {
  enum class Kind { kScalar, kSequence, kMapping };

  Kind kind = Kind::kScalar;
  YamlMark mark;
  std::string scalar;
  bool quoted = false;  // "5" is text, 5 is a number
  bool secret = false;  // came from a reference (secrets.h): messages never show it
  std::vector<std::shared_ptr<const YamlNode>> items;
  std::vector<YamlMember> members;
  size_t expanded = 1;  // nodes below and with this one, aliases counted in full

  bool is_null() const;
  const YamlNode* find(std::string_view key) const;  // null: no such member
  // "a mapping", "a list", "nothing", "a secret", "'5s'": for messages.
  std::string describe() const;
};

struct YamlLimits {
  size_t bytes = size_t{1} << 20;
  size_t nodes = 100000;  // after aliases are expanded
  int depth = 64;
};

struct YamlFile {
  std::string name;
  std::shared_ptr<const YamlNode> root;
};

// INVALID_ARGUMENT: "file:line:column: what, expected X, got Y".
absl::StatusOr<YamlFile> parse_yaml(std::string_view text, std::string_view filename,
                                    const YamlLimits& limits = {});

// The node as JSON by YAML 1.2's core schema: null, true, false, numbers and text. Quoted is text.
// A number JSON cannot hold (.nan, .inf, 1e999) stays text.
JsonValue yaml_to_json(const YamlNode& node, JsonAllocator& allocator);

}  // namespace fermata
