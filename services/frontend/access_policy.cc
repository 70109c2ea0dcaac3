#include "services/frontend/access_policy.h"

#include <algorithm>
#include <utility>

#include "services/config/private_file.h"
#include "services/config/sha256.h"
#include "services/config/str_cat.h"
#include "services/config/yaml_reader.h"

namespace fermata::frontend {
namespace {

constexpr size_t kMaxEntries = 10000;
constexpr size_t kMaxName = 128;

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxName &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return c > ' ' && c != 0x7f && c != '"' && c != '\\'; });
}

std::shared_ptr<const Principal> found(
    const absl::flat_hash_map<std::string, std::shared_ptr<const Principal>>& names,
    std::string_view name) {
  const auto at = names.find(std::string(name));
  return at == names.end() ? nullptr : at->second;
}

}  // namespace

// Fills a policy from the file's tree; what is wrong goes to `errors`.
class AccessReader {
 public:
  AccessReader(YamlErrors& errors, AccessPolicy& policy) : errors_(errors), policy_(policy) {}

  void read(const YamlNode& root) {
    YamlReader file(errors_, root, "");
    const auto entries = [&](std::string_view key, void (AccessReader::*one)(YamlReader)) {
      const YamlNode* list = this->list(file, key);
      if (list == nullptr) return;
      if (list->items.size() > kMaxEntries) {
        return file.error(*list, key, str_cat("at most ", kMaxEntries, " entries"));
      }
      for (size_t i = 0; i < list->items.size(); ++i) {
        (this->*one)(YamlReader(errors_, *list->items[i], str_cat(key, "[", i, "]")));
      }
    };
    entries("tokens", &AccessReader::token);
    entries("certificates", &AccessReader::certificate);
    file.finish();
  }

 private:
  const YamlNode* list(YamlReader& reader, std::string_view key) {
    const YamlNode* node = reader.find(key);
    if (node == nullptr || node->is_null()) return nullptr;
    if (node->kind == YamlNode::Kind::kSequence) return node;
    reader.error(*node, key, "a list");
    return nullptr;
  }

  std::vector<std::string> words(YamlReader& reader, std::string_view key) {
    std::vector<std::string> out;
    const YamlNode* node = list(reader, key);
    if (node == nullptr) return out;
    for (const std::shared_ptr<const YamlNode>& item : node->items) {
      if (item->kind == YamlNode::Kind::kScalar && is_name(item->scalar)) {
        out.push_back(item->scalar);
      } else {
        reader.error(*item, key, "words without spaces");
      }
    }
    return out;
  }

  Grant grant(YamlReader reader) {
    Grant out;
    bool of_queues = false;
    for (const std::string& word : words(reader, "allow")) {
      const auto* const at = std::find(kPermissionNames.begin() + 1, kPermissionNames.end(), word);
      if (at == kPermissionNames.end()) {
        reader.error(*reader.find("allow"), "allow",
                     "words of submit, read, cancel, delete, catalog, admin");
        continue;
      }
      const size_t index = static_cast<size_t>(at - kPermissionNames.begin());
      out.allow[index] = true;
      of_queues |= index < static_cast<size_t>(Permission::kCatalog);
    }
    out.queues = words(reader, "queues");
    out.pipelines = words(reader, "pipelines");
    if (std::find(out.allow.begin(), out.allow.end(), true) == out.allow.end()) {
      errors_.add(reader.mark(), str_cat(reader.path_of("allow"), ", expected at least one word"));
    }
    if (of_queues && out.queues.empty()) {
      errors_.add(reader.mark(),
                  str_cat(reader.path_of("queues"), ", expected globs of queues, \"*\" for all"));
    }
    reader.finish();
    return out;
  }

  std::shared_ptr<const Principal> principal(YamlReader& reader, std::string credential,
                                             std::string sha256 = "") {
    auto out = std::make_shared<Principal>();
    out->sha256 = std::move(sha256);
    out->credential = std::move(credential);
    out->name = reader.required_text("principal");
    if (!out->name.empty() && !is_name(out->name)) {
      reader.error(*reader.find("principal"), "principal", "1 to 128 characters without spaces");
    }
    if (const YamlNode* expires = reader.find("expires"); expires != nullptr) {
      std::string why;
      if (!absl::ParseTime(absl::RFC3339_full, expires->scalar, &out->expires, &why)) {
        reader.error(*expires, "expires", "a time as in 2027-01-31T00:00:00Z");
      }
    }
    if (const YamlNode* grants = list(reader, "grants"); grants != nullptr) {
      for (size_t i = 0; i < grants->items.size(); ++i) {
        const std::string path = str_cat(reader.path_of("grants"), "[", i, "]");
        out->grants.push_back(grant(YamlReader(errors_, *grants->items[i], path)));
      }
    }
    return out;
  }

  void token(YamlReader reader) {
    const std::string id = reader.required_text("id");
    const std::string sha256 = reader.required_text("sha256");
    const std::optional<TokenHash> hash = parse_token_hash(sha256);
    if (!is_token_id(id) || !hash.has_value()) {
      errors_.add(reader.mark(),
                  "expected the id of 16 and the sha256 of 64 hex digits that `fermata token new` "
                  "printed, got something else");
    }
    AccessPolicy::Token entry{hash.value_or(TokenHash()),
                              principal(reader, str_cat("token ", id), sha256)};
    if (!policy_.tokens_.emplace(id, std::move(entry)).second) {
      errors_.add(reader.mark(), str_cat("expected every id once, got '", id, "' twice"));
    }
    reader.finish();
  }

  void certificate(YamlReader reader) {
    const std::string san = reader.text("san", "");
    const std::string cn = reader.text("cn", "");
    if (san.empty() == cn.empty()) {
      errors_.add(reader.mark(), "expected one of san and cn: the name in the certificate");
    }
    AccessPolicy::ByName& names = san.empty() ? policy_.by_cn_ : policy_.by_san_;
    const std::string& name = san.empty() ? cn : san;
    auto who = principal(reader, str_cat("certificate ", name));
    if (!names.emplace(name, std::move(who)).second) {
      errors_.add(reader.mark(), str_cat("expected every name once, got '", name, "' twice"));
    }
    reader.finish();
  }

  YamlErrors& errors_;
  AccessPolicy& policy_;
};

absl::StatusOr<std::shared_ptr<const AccessPolicy>> AccessPolicy::load(const std::string& path) {
  const absl::StatusOr<std::string> text = read_private_file(path, FilePrivacy::kTrusted);
  if (!text.ok()) return text.status();
  return parse(*text, path);
}

absl::StatusOr<std::shared_ptr<const AccessPolicy>> AccessPolicy::parse(std::string_view text,
                                                                        std::string_view filename) {
  const absl::StatusOr<YamlFile> file = parse_yaml(text, filename);
  if (!file.ok()) return file.status();
  YamlErrors errors(filename);
  auto policy = std::make_shared<AccessPolicy>();
  AccessReader(errors, *policy).read(*file->root);
  if (!errors.ok()) return errors.status();
  return policy;
}

std::shared_ptr<const Principal> AccessPolicy::find_token(std::string_view token) const {
  const std::optional<std::string_view> id = token_id(token);
  const TokenHash hash = sha256(token);
  const auto at = id.has_value() ? tokens_.find(std::string(*id)) : tokens_.end();
  // An unknown id costs what a known one does.
  static constexpr TokenHash kNobody{};
  const bool same = same_hash(hash, at == tokens_.end() ? kNobody : at->second.hash);
  return same && at != tokens_.end() ? at->second.principal : nullptr;
}

bool AccessPolicy::has(const Principal& caller) const {
  const std::string_view credential = caller.credential;
  const std::string_view name = credential.substr(credential.find(' ') + 1);
  const auto token = tokens_.find(std::string(name));
  if (token != tokens_.end() && *token->second.principal == caller) return true;
  for (const ByName* names : {&by_san_, &by_cn_}) {
    const std::shared_ptr<const Principal> who = found(*names, name);
    if (who != nullptr && *who == caller) return true;
  }
  return false;
}

std::shared_ptr<const Principal> AccessPolicy::find_san(std::string_view name) const {
  return found(by_san_, name);
}

std::shared_ptr<const Principal> AccessPolicy::find_cn(std::string_view name) const {
  return found(by_cn_, name);
}

}  // namespace fermata::frontend
