#include "services/config/yaml_tree.h"

#include <exception>
#include <map>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "services/config/bytes.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"
#include "yaml-cpp/anchor.h"
#include "yaml-cpp/eventhandler.h"
#include "yaml-cpp/exceptions.h"
#include "yaml-cpp/mark.h"
#include "yaml-cpp/parser.h"

namespace fermata {
namespace {

// Thrown out of yaml-cpp's parser (which throws anyway) and caught in parse_yaml().
struct Refused : std::runtime_error {
  Refused(YamlMark mark, const std::string& message) : std::runtime_error(message), mark(mark) {}
  YamlMark mark;
};

YamlMark from(const YAML::Mark& mark) { return {mark.line + 1, mark.column + 1}; }

using NodePtr = std::shared_ptr<YamlNode>;

class Builder : public YAML::EventHandler {
 public:
  explicit Builder(const YamlLimits& limits) : limits_(limits) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(scalar(from(mark), "", false), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      throw Refused(from(mark),
                    "expected an alias of a finished node, got one inside its own anchor");
    }
    attach(found->second, from(mark));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    // yaml-cpp gives "!" to quoted text and "?" or "" to plain.
    if (tag != "!") refuse_tag(mark, tag);
    add(scalar(from(mark), value, tag == "!"), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::kSequence, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::kMapping, mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

  const NodePtr& root() const { return root_; }

 private:
  struct Open {
    NodePtr node;
    YAML::anchor_t anchor;
    bool has_key = false;
    std::string key;
    YamlMark key_mark;
    absl::flat_hash_set<std::string> keys;
  };

  static NodePtr scalar(YamlMark mark, std::string text, bool quoted) {
    NodePtr node = std::make_shared<YamlNode>();
    node->mark = mark;
    node->scalar = std::move(text);
    node->quoted = quoted;
    return node;
  }

  static void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?") return;
    throw Refused(from(mark), str_cat("expected a value without a tag, got the tag '",
                                      utf8_preview(tag, 40), "'"));
  }

  void open(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag,
            YAML::anchor_t anchor) {
    if (tag != "!") refuse_tag(mark, tag);
    if (open_.size() >= static_cast<size_t>(limits_.depth)) {
      throw Refused(from(mark), str_cat("expected at most ", limits_.depth,
                                        " mappings and lists inside each other"));
    }
    NodePtr node = std::make_shared<YamlNode>();
    node->kind = kind;
    node->mark = from(mark);
    if (!open_.empty() && open_.back().node->kind == YamlNode::Kind::kMapping &&
        !open_.back().has_key) {
      throw Refused(node->mark, str_cat("expected a key, got ", node->describe()));
    }
    open_.push_back({std::move(node), anchor, false, "", {}, {}});
  }

  void close() {
    Open done = std::move(open_.back());
    open_.pop_back();
    add(std::move(done.node), done.anchor);
  }

  void add(NodePtr node, YAML::anchor_t anchor) {
    if (anchor != 0) anchors_[anchor] = node;
    YamlMark mark = node->mark;
    attach(std::move(node), mark);
  }

  // Puts a finished node (or the target of an alias) where it belongs.
  void attach(NodePtr node, YamlMark mark) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (parent.node->kind == YamlNode::Kind::kMapping && !parent.has_key) {
      take_key(parent, *node, mark);
      return;
    }
    parent.node->expanded += node->expanded;
    if (parent.node->expanded > limits_.nodes) {
      throw Refused(mark, str_cat("expected at most ", limits_.nodes,
                                  " values after aliases are expanded, got more"));
    }
    // yaml-cpp puts a value that is not there on the next line; people look for it at its key.
    bool absent = node->kind == YamlNode::Kind::kScalar && node->scalar.empty() && !node->quoted;
    if (absent && parent.has_key) node->mark = parent.key_mark;
    if (parent.node->kind == YamlNode::Kind::kSequence) {
      parent.node->items.push_back(std::move(node));
    } else {
      parent.node->members.push_back({parent.key, parent.key_mark, std::move(node)});
      parent.has_key = false;
    }
  }

  static void take_key(Open& parent, const YamlNode& node, YamlMark mark) {
    if (node.kind != YamlNode::Kind::kScalar || node.is_null()) {
      throw Refused(mark, str_cat("expected a key, got ", node.describe()));
    }
    if (node.scalar == "<<" && !node.quoted) {
      throw Refused(mark, "merge keys ('<<') are not supported, expected the keys themselves");
    }
    if (!parent.keys.insert(node.scalar).second) {
      throw Refused(mark, str_cat("expected every key once, got '", utf8_preview(node.scalar, 40),
                                  "' twice"));
    }
    parent.has_key = true;
    parent.key = node.scalar;
    parent.key_mark = mark;
  }

  const YamlLimits& limits_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, NodePtr> anchors_;
  NodePtr root_;
};

absl::Status error_at(std::string_view filename, YamlMark mark, std::string_view message) {
  return absl::InvalidArgumentError(
      str_cat(filename, ":", mark.line, ":", mark.column, ": ", message));
}

absl::Status error_at(std::string_view filename, std::string_view text, size_t offset,
                      std::string_view message) {
  TextPosition at = text_position(text, offset);
  return error_at(filename, {static_cast<int>(at.line), static_cast<int>(at.column)}, message);
}

// What yaml-cpp must not see: it would take 0x04 for the end and guess other encodings.
absl::Status check_text(std::string_view text, std::string_view filename,
                        const YamlLimits& limits) {
  if (text.size() > limits.bytes) {
    return absl::InvalidArgumentError(str_cat(filename, ":1:1: expected a file of at most ",
                                              format_bytes(limits.bytes), ", got ", text.size(),
                                              " bytes"));
  }
  if (size_t valid = utf8_valid_prefix(text); valid < text.size()) {
    return error_at(filename, text, valid,
                    str_cat("expected UTF-8, got the byte 0x",
                            absl::Hex(static_cast<uint8_t>(text[valid]), absl::kZeroPad2)));
  }
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned char c = static_cast<unsigned char>(text[i]);
    if ((c < 0x20 && c != '\n' && c != '\r' && c != '\t') || c == 0x7F) {
      return error_at(
          filename, text, i,
          str_cat("expected text, got the control character 0x", absl::Hex(c, absl::kZeroPad2)));
    }
  }
  return absl::OkStatus();
}

// "${" in a { } or [ ] has to be quoted, and yaml-cpp's message does not lead there.
std::string reference_hint(std::string_view text, int line) {
  size_t begin = 0;
  for (int i = 1; i < line && begin != std::string_view::npos; ++i) {
    begin = text.find('\n', begin);
    if (begin != std::string_view::npos) ++begin;
  }
  if (begin == std::string_view::npos) return "";
  std::string_view row = text.substr(begin, text.find('\n', begin) - begin);
  if (row.find("${") == std::string_view::npos) return "";
  return "; inside { } and [ ] a reference needs quotes: \"${...}\"";
}

}  // namespace

bool YamlNode::is_null() const {
  return kind == Kind::kScalar && !quoted &&
         (scalar.empty() || scalar == "~" || scalar == "null" || scalar == "Null" ||
          scalar == "NULL");
}

const YamlNode* YamlNode::find(std::string_view key) const {
  for (const YamlMember& member : members) {
    if (member.key == key) return member.value.get();
  }
  return nullptr;
}

std::string YamlNode::describe() const {
  if (kind == Kind::kMapping) return "a mapping";
  if (kind == Kind::kSequence) return "a list";
  if (secret) return "a secret";
  if (is_null()) return "nothing";
  return str_cat("'", utf8_preview(scalar, 40), "'");
}

absl::StatusOr<YamlFile> parse_yaml(std::string_view text, std::string_view filename,
                                    const YamlLimits& limits) {
  absl::Status status = check_text(text, filename, limits);
  if (!status.ok()) return status;
  Builder builder(limits);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    // An empty file is a mapping without keys: whoever reads it knows which ones must be there.
    NodePtr root = builder.root();
    if (root == nullptr || root->is_null()) {
      root = std::make_shared<YamlNode>();
      root->kind = YamlNode::Kind::kMapping;
      return YamlFile{std::string(filename), root};
    }
    if (parser.HandleNextDocument(builder)) {
      return error_at(filename, builder.root()->mark, "expected one document, got a second one");
    }
    return YamlFile{std::string(filename), root};
  } catch (const Refused& refused) {
    return error_at(filename, refused.mark, refused.what());
  } catch (const YAML::Exception& error) {
    YamlMark mark = error.mark.is_null() ? YamlMark{} : from(error.mark);
    return error_at(filename, mark,
                    str_cat("expected YAML, got: ", error.msg, reference_hint(text, mark.line)));
  } catch (const std::exception& error) {
    return error_at(filename, {1, 1}, str_cat("expected YAML, got: ", error.what()));
  }
}

}  // namespace fermata
