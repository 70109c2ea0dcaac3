#include "services/config/secrets.h"

#include <cstdlib>

#include "absl/status/statusor.h"
#include "services/config/private_file.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"

namespace fermata {
namespace {

constexpr std::string_view kFile = "${file:";
constexpr std::string_view kEnv = "${env:";

std::string_view prefix_at(std::string_view text) {
  if (text.substr(0, kFile.size()) == kFile) return kFile;
  if (text.substr(0, kEnv.size()) == kEnv) return kEnv;
  return {};
}

absl::StatusOr<std::string> from_file(const std::string& path) {
  if (path.empty() || path[0] != '/') {
    return absl::InvalidArgumentError(
        str_cat("expected ${file:/path} with a path from the root, got '", path, "'"));
  }
  absl::StatusOr<std::string> text = read_private_file(path, FilePrivacy::kSecret, kMaxSecret);
  if (!text.ok()) return text;
  if (!text->empty() && text->back() == '\n') text->pop_back();
  if (!text->empty() && text->back() == '\r') text->pop_back();
  const bool good = !text->empty() && is_utf8(*text) && text->find('\0') == std::string::npos;
  if (good) return text;
  return absl::InvalidArgumentError(str_cat(path, ": expected a secret of UTF-8 text, got ",
                                            text->empty() ? "an empty file" : "other bytes"));
}

absl::StatusOr<std::string> from_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr || *value == '\0') {
    return absl::NotFoundError(
        str_cat("expected an environment variable '", name, "' that is set, got none"));
  }
  const std::string_view text = value;
  if (text.size() <= kMaxSecret && is_utf8(text)) return std::string(text);
  return absl::InvalidArgumentError(str_cat("expected at most ", kMaxSecret,
                                            " bytes of UTF-8 text in the environment variable '",
                                            name, "', got something else"));
}

class Resolver {
 public:
  Resolver(YamlErrors& errors, std::vector<std::string>* secrets)
      : errors_(errors), secrets_(secrets) {}

  std::shared_ptr<const YamlNode> node(const std::shared_ptr<const YamlNode>& from) {
    if (!has_reference(*from)) return from;
    auto to = std::make_shared<YamlNode>(*from);
    if (from->kind == YamlNode::Kind::kScalar) to->scalar = expand(*from, *to);
    for (std::shared_ptr<const YamlNode>& item : to->items) item = node(item);
    for (YamlMember& member : to->members) member.value = node(member.value);
    return to;
  }

 private:
  static bool has_reference(const YamlNode& node) {
    if (node.kind == YamlNode::Kind::kScalar) {
      return node.scalar.find(kFile) != std::string::npos ||
             node.scalar.find(kEnv) != std::string::npos;
    }
    for (const std::shared_ptr<const YamlNode>& item : node.items) {
      if (has_reference(*item)) return true;
    }
    for (const YamlMember& member : node.members) {
      if (has_reference(*member.value)) return true;
    }
    return false;
  }

  std::string expand(const YamlNode& from, YamlNode& to) {
    to.quoted = true;
    std::string out;
    std::string_view rest = from.scalar;
    while (!rest.empty()) {
      if (rest[0] == '$' && !prefix_at(rest.substr(1)).empty()) {
        const std::string_view literal = prefix_at(rest.substr(1));
        out += literal;
        rest.remove_prefix(1 + literal.size());
        continue;
      }
      const std::string_view prefix = prefix_at(rest);
      if (prefix.empty()) {
        out += rest[0];
        rest.remove_prefix(1);
        continue;
      }
      const size_t end = rest.find('}');
      if (end == std::string_view::npos) {
        errors_.add(from.mark, str_cat("expected '}' at the end of ", prefix, "..., got none"));
        return out;
      }
      const std::string name(rest.substr(prefix.size(), end - prefix.size()));
      absl::StatusOr<std::string> value =
          prefix == kFile ? from_file(name) : from_environment(name);
      if (value.ok()) {
        to.secret = true;
        secrets_->push_back(*value);
        out += *value;
      } else {
        errors_.add(from.mark, from_absl(value.status().message()));
      }
      rest.remove_prefix(end + 1);
    }
    return out;
  }

  YamlErrors& errors_;
  std::vector<std::string>* secrets_;
};

}  // namespace

std::shared_ptr<const YamlNode> resolve_secrets(std::shared_ptr<const YamlNode> root,
                                                YamlErrors& errors,
                                                std::vector<std::string>* secrets) {
  return Resolver(errors, secrets).node(root);
}

}  // namespace fermata
