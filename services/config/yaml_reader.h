#pragma once

// Typed reading of YAML mappings, collecting every error of a file instead of only the first.
//
//   YamlErrors errors("fermata.yaml");
//   YamlReader reader(errors, *file.root, "");
//   config.listen = reader.text("listen", "127.0.0.1:7450");
//   config.pause = reader.duration("pause", absl::ZeroDuration(), {absl::ZeroDuration(),
//   absl::Hours(1)}); reader.finish();          // a key nobody asked for is an error: "did you
//   mean 'listen'?" return errors.status();
//
// A getter that fails records an error and returns the fallback, so the reading code has no error
// paths. Messages are `file:line:column: what, expected X, got Y`. One thread, for the time of a
// load.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/config/str_cat.h"
#include "services/config/yaml_tree.h"

namespace fermata {

// The errors of one file, in the order of their places.
class YamlErrors {
 public:
  explicit YamlErrors(std::string_view filename) : filename_(filename) {}

  void add(YamlMark mark, std::string_view message);
  void add(YamlMark mark, std::string_view what, std::string_view expected, std::string_view got);

  bool ok() const { return errors_.empty(); }
  // No more will be shown, but for their number; whoever finds them need not look for a hint.
  bool full() const { return errors_.size() >= kShown; }
  // OK, or INVALID_ARGUMENT with one line per error (the first kShown).
  absl::Status status() const;

 private:
  static constexpr size_t kShown = 20;

  struct Error {
    YamlMark mark;
    std::string message;
  };
  std::string filename_;
  std::vector<Error> errors_;
};

template <typename T>
struct YamlRange {
  T min;
  T max;
};

class YamlReader {
 public:
  // `path` names the mapping in messages ("stages.fetch.retry"); "" is the file itself. A node that
  // is not a mapping is an error, and the reader then finds nothing.
  YamlReader(YamlErrors& errors, const YamlNode& node, std::string_view path);

  bool has(std::string_view key);
  // The member, or null; marks the key as known.
  const YamlNode* find(std::string_view key);

  std::string text(std::string_view key, std::string_view fallback);
  std::string required_text(std::string_view key);
  bool boolean(std::string_view key, bool fallback);
  int64_t integer(std::string_view key, int64_t fallback, YamlRange<int64_t> range);
  double number(std::string_view key, double fallback, YamlRange<double> range);
  absl::Duration duration(std::string_view key, absl::Duration fallback,
                          YamlRange<absl::Duration> range);
  uint64_t bytes(std::string_view key, uint64_t fallback, YamlRange<uint64_t> range);

  // One of a few words: choice("format", Format::kText, {{"text", Format::kText}, ...}).
  template <typename T>
  T choice(std::string_view key, T fallback, std::vector<std::pair<std::string, T>> words) {
    std::vector<std::string> names;
    for (const auto& word : words) names.push_back(word.first);
    int index = choose(key, names);
    return index < 0 ? fallback : words[static_cast<size_t>(index)].second;
  }

  // A reader for the mapping under `key`; of an empty mapping when it is absent.
  YamlReader child(std::string_view key);

  // Reports every key that no getter asked for. `later` are names that are no mistake but belong to
  // a newer version: they are refused with that reason.
  void finish(const std::vector<std::string>& later = {});

  YamlMark mark() const { return node_->mark; }
  std::string path_of(std::string_view key) const;
  void error(const YamlNode& node, std::string_view key, std::string_view expected);

 private:
  int choose(std::string_view key, const std::vector<std::string>& names);
  const YamlNode* scalar(std::string_view key, std::string_view expected);

  YamlErrors* errors_;
  const YamlNode* node_;
  std::string path_;
  std::vector<std::string> known_;
};

}  // namespace fermata
