// JSON text to SchemaNodes. Every keyword's type is checked here, so validation never has to.
#include <functional>
#include <utility>

#include "services/config/schema_node.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"

namespace fermata {
namespace {

constexpr size_t kMaxNodes = 5000;
constexpr size_t kMaxPatternLength = 1000;
constexpr int kMaxPatternProgram = 2000;

struct TypeName {
  std::string_view name;
  JsonTypes bits;
};
constexpr TypeName kTypeNames[] = {
    {"null", kJsonNull},       {"boolean", kJsonBoolean},
    {"integer", kJsonInteger}, {"number", kJsonInteger | kJsonFraction},
    {"string", kJsonString},   {"array", kJsonArray},
    {"object", kJsonObject},
};

class Compiler {
 public:
  Compiler(const JsonValue& document, const SchemaLimits& limits,
           std::vector<std::unique_ptr<SchemaNode>>* nodes)
      : document_(document), limits_(limits), nodes_(nodes) {}

  absl::Status run() {
    compile(document_, "");
    // A $ref's target may itself hold more; no recursion, so a long chain cannot exhaust the stack.
    while (status_.ok() && !pending_.empty()) {
      Pending pending = std::move(pending_.back());
      pending_.pop_back();
      resolve(pending);
    }
    if (status_.ok()) status_ = check_schema_circles(*nodes_);
    return status_;
  }
  size_t patterns() const { return patterns_; }

 private:
  struct Pending {
    SchemaNode* node;
    std::string ref;
    std::string pointer;
  };

  void fail(std::string_view pointer, std::string_view message) {
    if (!status_.ok()) return;
    status_ = absl::InvalidArgumentError(
        str_cat(pointer.empty() ? "the schema" : std::string_view(pointer), ": ", message));
  }
  void wrong(std::string_view pointer, std::string_view expected, const JsonValue& got) {
    fail(pointer, str_cat("expected ", expected, ", got ", json_preview(got)));
  }

  SchemaNode* compile(const JsonValue& schema, const std::string& pointer);
  void keyword(SchemaNode& node, std::string_view name, const JsonValue& value,
               const std::string& pointer);
  void resolve(const Pending& pending);

  JsonTypes types(const JsonValue& value, const std::string& pointer);
  size_t count(const JsonValue& value, const std::string& pointer);
  bool boolean(const JsonValue& value, const std::string& pointer);
  const JsonValue* number(const JsonValue& value, const std::string& pointer);
  std::unique_ptr<re2::RE2> pattern(const JsonValue& value, const std::string& pointer);
  std::vector<std::string_view> names(const JsonValue& value, const std::string& pointer);
  std::vector<const SchemaNode*> schemas(const JsonValue& value, const std::string& pointer);
  void properties(SchemaNode& node, const JsonValue& value, const std::string& pointer);
  void pattern_properties(SchemaNode& node, const JsonValue& value, const std::string& pointer);
  void dependencies(SchemaNode& node, const JsonValue& value, const std::string& pointer);
  bool object(const JsonValue& value, const std::string& pointer) {
    if (!value.IsObject()) wrong(pointer, "an object", value);
    return value.IsObject();
  }
  // true/false, or a schema
  void more(const JsonValue& value, const std::string& pointer, bool& none,
            const SchemaNode*& schema) {
    if (value.IsObject()) {
      schema = compile(value, pointer);
    } else {
      none = !boolean(value, pointer);
    }
  }

  const JsonValue& document_;
  const SchemaLimits limits_;
  std::vector<std::unique_ptr<SchemaNode>>* nodes_;
  absl::flat_hash_map<const JsonValue*, SchemaNode*> compiled_;
  std::vector<Pending> pending_;
  size_t patterns_ = 0;
  absl::Status status_;
};

SchemaNode* Compiler::compile(const JsonValue& schema, const std::string& pointer) {
  if (auto found = compiled_.find(&schema); found != compiled_.end()) return found->second;
  if (nodes_->size() >= kMaxNodes) {
    fail(pointer, str_cat("expected at most ", kMaxNodes, " subschemas"));
    return nodes_->back().get();
  }
  nodes_->push_back(std::make_unique<SchemaNode>());
  SchemaNode* node = nodes_->back().get();
  compiled_[&schema] = node;
  if (!object(schema, pointer)) return node;
  if (const JsonValue* ref = find_member(schema, "$ref")) {
    if (!ref->IsString()) {
      wrong(pointer + "/$ref", "text such as \"#/definitions/name\"", *ref);
    } else {
      pending_.push_back({node, std::string(as_string_view(*ref)), pointer});
    }
    return node;
  }
  for (const auto& member : schema.GetObject()) {
    if (!status_.ok()) break;
    std::string_view name = as_string_view(member.name);
    keyword(*node, name, member.value, pointer + json_pointer_step(name));
  }
  return node;
}

void Compiler::keyword(SchemaNode& node, std::string_view name, const JsonValue& value,
                       const std::string& at) {
  using Apply = std::function<void(Compiler&, SchemaNode&, const JsonValue&, const std::string&)>;
  static const auto* table = new absl::flat_hash_map<std::string_view, Apply>{
      {"type", [](auto& c, auto& n, auto& v, auto& at) { n.types = c.types(v, at); }},
      {"enum",
       [](auto& c, auto& n, auto& v, auto& at) {
         if (!v.IsArray() || v.Empty()) c.wrong(at, "an array with at least one value", v);
         n.enumeration = &v;
       }},
      {"default",
       [](auto&, auto& n, auto& v, auto&) {
         n.default_value = &v;
         n.default_bytes = to_json(v).size();
       }},
      {"allOf", [](auto& c, auto& n, auto& v, auto& at) { n.all_of = c.schemas(v, at); }},
      {"anyOf", [](auto& c, auto& n, auto& v, auto& at) { n.any_of = c.schemas(v, at); }},
      {"oneOf", [](auto& c, auto& n, auto& v, auto& at) { n.one_of = c.schemas(v, at); }},
      {"not", [](auto& c, auto& n, auto& v, auto& at) { n.negated = c.compile(v, at); }},
      {"minimum", [](auto& c, auto& n, auto& v, auto& at) { n.minimum = c.number(v, at); }},
      {"maximum", [](auto& c, auto& n, auto& v, auto& at) { n.maximum = c.number(v, at); }},
      {"exclusiveMinimum",
       [](auto& c, auto& n, auto& v, auto& at) { n.exclusive_minimum = c.boolean(v, at); }},
      {"exclusiveMaximum",
       [](auto& c, auto& n, auto& v, auto& at) { n.exclusive_maximum = c.boolean(v, at); }},
      {"multipleOf",
       [](auto& c, auto& n, auto& v, auto& at) {
         n.multiple_of = c.number(v, at);
         if (v.IsNumber() && !(v.GetDouble() > 0)) c.wrong(at, "a number above 0", v);
       }},
      {"minLength", [](auto& c, auto& n, auto& v, auto& at) { n.min_length = c.count(v, at); }},
      {"maxLength", [](auto& c, auto& n, auto& v, auto& at) { n.max_length = c.count(v, at); }},
      {"pattern", [](auto& c, auto& n, auto& v, auto& at) { n.pattern = c.pattern(v, at); }},
      {"items",
       [](auto& c, auto& n, auto& v, auto& at) {
         n.is_tuple = v.IsArray();
         if (!n.is_tuple) n.items = c.compile(v, at);
         for (unsigned i = 0; n.is_tuple && i < v.Size(); ++i) {
           n.tuple.push_back(c.compile(v[i], str_cat(at, "/", i)));
         }
       }},
      {"additionalItems",
       [](auto& c, auto& n, auto& v, auto& at) { c.more(v, at, n.no_more_items, n.more_items); }},
      {"minItems", [](auto& c, auto& n, auto& v, auto& at) { n.min_items = c.count(v, at); }},
      {"maxItems", [](auto& c, auto& n, auto& v, auto& at) { n.max_items = c.count(v, at); }},
      {"uniqueItems",
       [](auto& c, auto& n, auto& v, auto& at) { n.unique_items = c.boolean(v, at); }},
      {"properties", [](auto& c, auto& n, auto& v, auto& at) { c.properties(n, v, at); }},
      {"patternProperties",
       [](auto& c, auto& n, auto& v, auto& at) { c.pattern_properties(n, v, at); }},
      {"additionalProperties",
       [](auto& c, auto& n, auto& v, auto& at) {
         c.more(v, at, n.no_more_properties, n.more_properties);
       }},
      {"required", [](auto& c, auto& n, auto& v, auto& at) { n.required = c.names(v, at); }},
      {"dependencies", [](auto& c, auto& n, auto& v, auto& at) { c.dependencies(n, v, at); }},
      {"minProperties",
       [](auto& c, auto& n, auto& v, auto& at) { n.min_properties = c.count(v, at); }},
      {"maxProperties",
       [](auto& c, auto& n, auto& v, auto& at) { n.max_properties = c.count(v, at); }},
      {"definitions",
       [](auto& c, auto&, auto& v, auto& at) {
         if (!c.object(v, at)) return;
         for (const auto& member : v.GetObject()) {
           c.compile(member.value, at + json_pointer_step(as_string_view(member.name)));
         }
       }},
  };
  auto found = table->find(name);
  if (found == table->end()) {
    std::string problem = unknown_keyword_problem(name);
    if (!problem.empty()) fail(at, problem);
  } else {
    found->second(*this, node, value, at);
  }
}

JsonTypes Compiler::types(const JsonValue& value, const std::string& pointer) {
  JsonTypes bits = 0;
  auto add = [&](const JsonValue& name) {
    for (const TypeName& type : kTypeNames) {
      if (name.IsString() && as_string_view(name) == type.name) {
        bits |= type.bits;
        return;
      }
    }
    wrong(pointer, "null, boolean, integer, number, string, array or object", name);
  };
  if (!value.IsArray()) {
    add(value);
    return bits;
  }
  if (value.Empty()) wrong(pointer, "at least one type", value);
  for (const JsonValue& name : value.GetArray()) add(name);
  return bits;
}

size_t Compiler::count(const JsonValue& value, const std::string& pointer) {
  if (!value.IsUint64()) wrong(pointer, "a whole number, 0 or more", value);
  return value.IsUint64() ? value.GetUint64() : 0;
}

bool Compiler::boolean(const JsonValue& value, const std::string& pointer) {
  if (!value.IsBool()) wrong(pointer, "true or false", value);
  return value.IsTrue();
}

const JsonValue* Compiler::number(const JsonValue& value, const std::string& pointer) {
  if (!value.IsNumber()) wrong(pointer, "a number", value);
  return value.IsNumber() ? &value : nullptr;
}

std::unique_ptr<re2::RE2> Compiler::pattern(const JsonValue& value, const std::string& pointer) {
  if (!value.IsString()) {
    wrong(pointer, "a regular expression", value);
    return nullptr;
  }
  if (++patterns_ > limits_.patterns || value.GetStringLength() > kMaxPatternLength) {
    fail(pointer, str_cat("expected at most ", limits_.patterns, " patterns of at most ",
                          kMaxPatternLength, " bytes"));
    return nullptr;
  }
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(limits_.pattern_bytes);
  auto compiled = std::make_unique<re2::RE2>(
      re2::StringPiece(value.GetString(), value.GetStringLength()), options);
  if (!compiled->ok()) {
    wrong(pointer,
          str_cat("a regular expression without look-around and back-references (",
                  utf8_preview(compiled->error(), 80), ")"),
          value);
    return nullptr;
  }
  if (compiled->ProgramSize() > kMaxPatternProgram) wrong(pointer, "a smaller pattern", value);
  return compiled;
}

std::vector<std::string_view> Compiler::names(const JsonValue& value, const std::string& pointer) {
  std::vector<std::string_view> names;
  if (!value.IsArray()) {
    wrong(pointer, "an array of names", value);
    return names;
  }
  for (const JsonValue& name : value.GetArray()) {
    if (!name.IsString()) {
      wrong(pointer, "an array of names", name);
      break;
    }
    names.push_back(as_string_view(name));
  }
  return names;
}

std::vector<const SchemaNode*> Compiler::schemas(const JsonValue& value,
                                                 const std::string& pointer) {
  std::vector<const SchemaNode*> nodes;
  if (!value.IsArray() || value.Empty()) {
    wrong(pointer, "an array with at least one schema", value);
    return nodes;
  }
  for (unsigned i = 0; i < value.Size(); ++i) {
    nodes.push_back(compile(value[i], str_cat(pointer, "/", i)));
  }
  return nodes;
}

void Compiler::properties(SchemaNode& node, const JsonValue& value, const std::string& pointer) {
  if (!object(value, pointer)) return;
  for (const auto& member : value.GetObject()) {
    std::string_view name = as_string_view(member.name);
    const SchemaNode* schema = compile(member.value, pointer + json_pointer_step(name));
    node.properties.push_back({name, schema});
    node.property[name] = schema;
  }
}

void Compiler::pattern_properties(SchemaNode& node, const JsonValue& value,
                                  const std::string& pointer) {
  if (!object(value, pointer)) return;
  for (const auto& member : value.GetObject()) {
    std::string at = pointer + json_pointer_step(as_string_view(member.name));
    std::unique_ptr<re2::RE2> compiled = pattern(member.name, at);
    const SchemaNode* schema = compile(member.value, at);
    if (compiled) node.pattern_properties.push_back({std::move(compiled), schema});
  }
}

void Compiler::dependencies(SchemaNode& node, const JsonValue& value, const std::string& pointer) {
  if (!object(value, pointer)) return;
  for (const auto& member : value.GetObject()) {
    SchemaNode::Dependency dependency;
    dependency.name = as_string_view(member.name);
    std::string at = pointer + json_pointer_step(dependency.name);
    if (member.value.IsObject()) {
      dependency.schema = compile(member.value, at);
    } else {
      dependency.names = names(member.value, at);
    }
    node.dependencies.push_back(std::move(dependency));
  }
}

void Compiler::resolve(const Pending& pending) {
  const JsonValue* target = follow_schema_ref(document_, pending.ref);
  if (target == nullptr) {
    fail(pending.pointer + "/$ref",
         str_cat("expected a place in this document such as #/definitions/name, got \"",
                 utf8_preview(pending.ref, 60), "\""));
    return;
  }
  pending.node->ref = compile(*target, pending.ref.substr(1));
}

}  // namespace

absl::Status compile_schema(const JsonValue& schema, const SchemaLimits& limits,
                            std::vector<std::unique_ptr<SchemaNode>>* nodes, size_t* patterns) {
  Compiler compiler(schema, limits, nodes);
  absl::Status status = compiler.run();
  *patterns = compiler.patterns();
  return status;
}

}  // namespace fermata
