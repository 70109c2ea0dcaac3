#pragma once

// plugins.isolation of fermata.yaml: how each plugin runs. Part of config.h.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "services/config/yaml_reader.h"

namespace fermata {

enum class PlacementChoice { kAuto, kInproc, kIsolated };

struct PluginIsolation {
  PlacementChoice placement = PlacementChoice::kAuto;
  absl::Duration hang = absl::Seconds(5);  // without an answer
  absl::Duration busy_poll =
      absl::Microseconds(100);                // for an answer, before sleeping; zero: never
  uint64_t memory = 0;                        // bytes; 0: no limit
  absl::Duration cpu = absl::ZeroDuration();  // of all its threads; zero: no limit
  int64_t descriptors = 1024;
  uint64_t file_bytes = uint64_t{8} << 30;
  bool deny_syscalls = false;
  bool limit_files = false;    // `read` or `write` is there, if only as an empty list
  bool limit_connect = false;  // `connect` is there
  std::vector<std::string> read;
  std::vector<std::string> write;
  std::vector<int64_t> connect;
  std::vector<std::string> environment;
};

// By plugin name. `plugins` is the mapping that has the key `isolation`.
std::map<std::string, PluginIsolation> read_isolation(YamlErrors& errors, YamlReader& plugins);

}  // namespace fermata
