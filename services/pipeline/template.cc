#include "services/pipeline/template.h"

#include <utility>

#include "services/config/bytes.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"

namespace fermata {
namespace {

// A string of a template in parts: text, reference, text, reference, ..., text.
struct Parts {
  std::vector<std::string> texts;
  std::vector<std::string> references;  // one less than texts
  bool whole() const { return references.size() == 1 && texts[0].empty() && texts[1].empty(); }
};

absl::StatusOr<Parts> split(std::string_view text) {
  Parts parts;
  parts.texts.emplace_back();
  while (!text.empty()) {
    size_t dollar = text.find('$');
    parts.texts.back().append(text.substr(0, dollar));
    if (dollar == std::string_view::npos) break;
    text.remove_prefix(dollar);
    if (text.substr(0, 3) == "$${") {
      parts.texts.back().append("${");
      text.remove_prefix(3);
    } else if (text.substr(0, 2) == "${") {
      size_t end = text.find('}');
      if (end == std::string_view::npos) {
        return absl::InvalidArgumentError(str_cat("expected a '}' after '", utf8_preview(text, 40),
                                                  "' (write $${ for a literal ${)"));
      }
      parts.references.emplace_back(text.substr(2, end - 2));
      parts.texts.emplace_back();
      text.remove_prefix(end + 1);
    } else {
      parts.texts.back().push_back('$');
      text.remove_prefix(1);
    }
  }
  return parts;
}

}  // namespace

// Walks the value once and writes its JSON text, cut where a reference goes.
class TemplateCompiler {
 public:
  TemplateCompiler(const ReferenceScope& scope, Template* out) : scope_(scope), out_(out) {}

  absl::Status run(const JsonValue& value, TemplateError* error) {
    absl::Status status = compile(value);
    if (status.ok() && (!text_.empty() || out_->pieces_.empty())) {
      out_->pieces_.push_back({std::move(text_), -1, false});
    }
    if (!status.ok() && error != nullptr) *error = {pointer_, std::string(status.message())};
    return status;
  }

 private:
  absl::Status compile(const JsonValue& value) {
    if (value.IsString()) return compile_string(value);
    if (value.IsArray()) return compile_array(value);
    if (value.IsObject()) return compile_object(value);
    append_json(value, &text_);
    return absl::OkStatus();
  }

  absl::Status compile_array(const JsonValue& value) {
    size_t length = pointer_.size();
    text_.push_back('[');
    for (unsigned i = 0; i < value.Size(); ++i) {
      if (i > 0) text_.push_back(',');
      str_append(&pointer_, "/", i);
      if (absl::Status status = compile(value[i]); !status.ok()) return status;
      pointer_.resize(length);
    }
    text_.push_back(']');
    return absl::OkStatus();
  }

  absl::Status compile_object(const JsonValue& value) {
    size_t length = pointer_.size();
    bool first = true;
    text_.push_back('{');
    for (const auto& member : value.GetObject()) {
      std::string_view name = as_string_view(member.name);
      pointer_ += json_pointer_step(name);
      if (name.find("${") != std::string_view::npos) {
        return absl::InvalidArgumentError(
            str_cat("expected a key without a reference, got '", utf8_preview(name, 40), "'"));
      }
      if (!first) text_.push_back(',');
      first = false;
      append_json(member.name, &text_);
      text_.push_back(':');
      if (absl::Status status = compile(member.value); !status.ok()) return status;
      pointer_.resize(length);
    }
    text_.push_back('}');
    return absl::OkStatus();
  }

  absl::Status compile_string(const JsonValue& value) {
    absl::StatusOr<Parts> parts = split(as_string_view(value));
    if (!parts.ok()) return parts.status();
    bool whole = parts->whole();
    if (!whole) text_.push_back('"');
    append_json_escaped(parts->texts[0], &text_);
    for (size_t i = 0; i < parts->references.size(); ++i) {
      absl::StatusOr<Reference> reference = Reference::parse(parts->references[i], scope_);
      if (!reference.ok()) return reference.status();
      out_->pieces_.push_back({std::move(text_), static_cast<int>(out_->uses_.size()), !whole});
      out_->uses_.push_back({*std::move(reference), pointer_, whole});
      text_.clear();
      append_json_escaped(parts->texts[i + 1], &text_);
    }
    if (!whole) text_.push_back('"');
    return absl::OkStatus();
  }

  const ReferenceScope& scope_;
  Template* out_;
  std::string text_;     // JSON text since the last reference
  std::string pointer_;  // where the walk is
};

Template::Template() {
  static const std::shared_ptr<const JsonDocument>* empty = new std::shared_ptr<const JsonDocument>(
      std::make_shared<JsonDocument>(rapidjson::kObjectType));
  source_ = *empty;
  pieces_.push_back({"{}", -1, false});
}

absl::StatusOr<Template> Template::parse(const JsonValue& value, const ReferenceScope& scope,
                                         TemplateError* error) {
  Template made;
  made.pieces_.clear();
  absl::Status status = TemplateCompiler(scope, &made).run(value, error);
  if (!status.ok()) return status;
  auto source = std::make_shared<JsonDocument>();
  source->CopyFrom(value, source->GetAllocator());
  made.source_ = std::move(source);
  return made;
}

absl::StatusOr<Template> Template::of(std::string_view pointer, const ReferenceScope& scope) {
  JsonDocument value;
  value.SetString(str_cat("${", pointer, "}"), value.GetAllocator());
  return parse(value, scope);
}

absl::StatusOr<std::string> Template::evaluate_json(const EvalContext& context,
                                                    size_t max_bytes) const {
  std::string out;
  for (const Piece& piece : pieces_) {
    out.append(piece.text);
    if (piece.use < 0) continue;
    const Reference& reference = uses_[static_cast<size_t>(piece.use)].reference;
    absl::Status status = reference.append(context, piece.raw, &out);
    if (!status.ok()) return status;
    if (out.size() > max_bytes) {
      return absl::ResourceExhaustedError(
          str_cat("${", reference.text(), "}: expected a value of at most ",
                  format_bytes(max_bytes), " when all references are put in, got more"));
    }
  }
  return out;
}

absl::StatusOr<JsonValue> Template::evaluate(const EvalContext& context, JsonAllocator& allocator,
                                             size_t max_bytes) const {
  // One reference and nothing else is the case worth a way of its own: no text in between.
  if (uses_.size() == 1 && uses_[0].whole && uses_[0].pointer.empty()) {
    return uses_[0].reference.resolve(context, allocator);
  }
  absl::StatusOr<std::string> text = evaluate_json(context, max_bytes);
  if (!text.ok()) return text.status();
  // The values were within limits one by one; a template may put them a little deeper.
  absl::StatusOr<JsonDocument> document = parse_json(*text, {.bytes = text->size(), .depth = 1000});
  if (!document.ok()) return document.status();
  return JsonValue(*document, allocator);
}

void Template::renumber_stages(absl::Span<const int> order) {
  for (Use& use : uses_) {
    if (use.reference.stage() < 0) continue;
    use.reference.set_stage(order[static_cast<size_t>(use.reference.stage())]);
  }
}

}  // namespace fermata
