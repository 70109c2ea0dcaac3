#include "services/config/isolation_config.h"

#include "services/config/str_cat.h"

namespace fermata {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

// False, and nothing is read, when the key is not there.
template <class Item, class Take>
bool list(YamlReader& reader, std::string_view key, const char* expected, Take take,
          std::vector<Item>& out) {
  const YamlNode* node = reader.find(key);
  if (node == nullptr || node->is_null()) return false;
  JsonDocument document;
  const JsonValue items = yaml_to_json(*node, document.GetAllocator());
  bool good = items.IsArray() && items.Size() <= 1000;
  for (rapidjson::SizeType i = 0; good && i < items.Size(); ++i) good = take(items[i], out);
  if (!good) reader.error(*node, key, expected);
  return true;
}

bool take_path(const JsonValue& item, std::vector<std::string>& out) {
  if (!item.IsString() || item.GetStringLength() == 0 || item.GetString()[0] != '/') return false;
  out.emplace_back(item.GetString(), item.GetStringLength());
  return true;
}

bool take_name(const JsonValue& item, std::vector<std::string>& out) {
  if (!item.IsString() || item.GetStringLength() == 0) return false;
  out.emplace_back(item.GetString(), item.GetStringLength());
  // What the dynamic loader obeys must come from nowhere.
  return out.back().substr(0, 3) != "LD_" && out.back().find('=') == std::string::npos;
}

bool take_port(const JsonValue& item, std::vector<int64_t>& out) {
  if (!item.IsInt64() || item.GetInt64() < 1 || item.GetInt64() > 65535) return false;
  out.push_back(item.GetInt64());
  return true;
}

PluginIsolation read_one(YamlReader reader) {
  PluginIsolation out;
  out.placement = reader.choice<PlacementChoice>("placement", out.placement,
                                                 {{"auto", PlacementChoice::kAuto},
                                                  {"inproc", PlacementChoice::kInproc},
                                                  {"isolated", PlacementChoice::kIsolated}});
  out.hang = reader.duration("hang", out.hang, {absl::Milliseconds(500), absl::Hours(1)});
  out.busy_poll =
      reader.duration("busy_poll", out.busy_poll, {absl::ZeroDuration(), absl::Milliseconds(10)});
  if (reader.has("memory")) out.memory = reader.bytes("memory", 0, {16 * kMiB, kMiB << 20});
  if (reader.has("cpu")) {
    out.cpu = reader.duration("cpu", out.cpu, {absl::Seconds(1), absl::Hours(24 * 365)});
  }
  out.descriptors = reader.integer("descriptors", out.descriptors, {32, 1 << 20});
  out.file_bytes = reader.bytes("file_bytes", out.file_bytes, {0, kMiB << 24});
  out.deny_syscalls = reader.boolean("deny_syscalls", out.deny_syscalls);
  constexpr char kPaths[] = "a list of absolute paths";
  const bool reads = list(reader, "read", kPaths, &take_path, out.read);
  const bool writes = list(reader, "write", kPaths, &take_path, out.write);
  out.limit_files = reads || writes;
  out.limit_connect =
      list(reader, "connect", "a list of TCP ports, 1 to 65535", &take_port, out.connect);
  list(reader, "environment", "a list of names of variables, none of which begins with LD_",
       &take_name, out.environment);
  reader.finish();
  return out;
}

}  // namespace

std::map<std::string, PluginIsolation> read_isolation(YamlErrors& errors, YamlReader& plugins) {
  std::map<std::string, PluginIsolation> out;
  const YamlNode* isolation = plugins.find("isolation");
  if (isolation == nullptr || isolation->is_null()) return out;
  if (isolation->kind != YamlNode::Kind::kMapping) {
    plugins.error(*isolation, "isolation", "a mapping of plugin names to how they run");
    return out;
  }
  for (const YamlMember& member : isolation->members) {
    if (member.value->is_null()) {
      out[member.key] = PluginIsolation();
      continue;
    }
    const std::string path = plugins.path_of(str_cat("isolation.", member.key));
    out[member.key] = read_one(YamlReader(errors, *member.value, path));
  }
  return out;
}

}  // namespace fermata
