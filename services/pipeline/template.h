#pragma once

// A JSON value with references in its strings: a stage's `with`, a pipeline's `result`.
//
// A string that is exactly one reference takes the value ("${/item}"); otherwise references are put
// into the text ("page ${/index} of ${/input/site}": strings as they are, other values as JSON).
// "$${" is a literal "${". Parsed once at load into a list of pieces, so that evaluate_json(),
// which runs for every stage call, only appends ready text and follows pointers.
//
// Immutable after the load; evaluating only reads. Any thread that may read the values.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/config/json.h"
#include "services/pipeline/reference.h"

namespace fermata {

// Where in a template something is wrong.
struct TemplateError {
  std::string pointer;  // JSON Pointer to the string or member
  std::string message;
};

class Template {
 public:
  static constexpr size_t kMaxBytes = size_t{64} << 20;

  Template();  // the empty object

  // Parses every string of `value`. With `error` given, a failure is also told in parts.
  static absl::StatusOr<Template> parse(const JsonValue& value, const ReferenceScope& scope,
                                        TemplateError* error = nullptr);
  // The template that is one reference: "${/input}" is of("/input", {}).
  static absl::StatusOr<Template> of(std::string_view pointer, const ReferenceScope& scope);

  // The value as JSON text: what a stage gets. The fast way; prefer it when text is what is needed.
  // RESOURCE_EXHAUSTED above `max_bytes`: a template may name one large value many times.
  absl::StatusOr<std::string> evaluate_json(const EvalContext& context,
                                            size_t max_bytes = kMaxBytes) const;

  // The value itself, copied into `allocator`.
  absl::StatusOr<JsonValue> evaluate(const EvalContext& context, JsonAllocator& allocator,
                                     size_t max_bytes = kMaxBytes) const;

  struct Use {
    Reference reference;
    std::string pointer;  // where in the template it stands
    bool whole = false;   // the string is nothing but this reference
  };
  absl::Span<const Use> uses() const { return uses_; }
  bool is_constant() const { return uses_.empty(); }

  // Gives every stage index i the new index order[i]; the loader sorts stages after reading them.
  void renumber_stages(absl::Span<const int> order);

  // The template as it was written.
  const JsonValue& source() const { return *source_; }

 private:
  struct Piece {
    std::string text;  // JSON text before the reference
    int use = -1;      // index into uses_, -1: only text
    bool raw = false;  // inside a string
  };
  friend class TemplateCompiler;

  std::shared_ptr<const JsonDocument> source_;
  std::vector<Use> uses_;
  std::vector<Piece> pieces_;
};

}  // namespace fermata
