#pragma once

// A reference in a pipeline: "${/stages/fetch/*/body}", parsed once at load, followed at run.
//
// It is a JSON Pointer (RFC 6901; ~0 is '~', ~1 is '/') into one document {input, item, index,
// stages}. A '*' step maps the rest over an array and makes an array. A missing member is an error
// that names the pointer; under a '*' it gives null, so that one failed item does not spoil the
// rest.
//
// Immutable; following one only reads. Any thread that may read the values.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "services/config/json.h"

namespace fermata {

// The document that references point into, for one evaluation. Nothing is copied or owned: the
// values outlive the call. `outputs` is by stage index; null for a stage that was skipped or did
// not run.
struct EvalContext {
  const JsonValue* input = nullptr;
  const JsonValue* item = nullptr;  // only inside a stage with `each`
  size_t index = 0;                 // of the item
  absl::Span<const JsonValue* const> outputs;
};

// What names mean while a pipeline is read.
struct ReferenceScope {
  absl::Span<const std::string> stages;  // /stages/<name>, by index
  bool item = false;                     // /item and /index exist
};

class Reference {
 public:
  enum class Root { kInput, kItem, kIndex, kStage };

  struct Step {
    std::string name;
    int64_t index = -1;  // the name as an array index, or -1
    bool star = false;
  };

  // `pointer` is what stands between "${" and "}". INVALID_ARGUMENT says what was expected.
  static absl::StatusOr<Reference> parse(std::string_view pointer, const ReferenceScope& scope);

  // The value it points at, in place. Only without a star. INVALID_ARGUMENT when there is none.
  absl::StatusOr<const JsonValue*> find(const EvalContext& context) const;

  // The value as a copy in `allocator`; works for every reference.
  absl::StatusOr<JsonValue> resolve(const EvalContext& context, JsonAllocator& allocator) const;

  // The value as JSON text, added to `out`; with `raw`, a string goes in without quotes, escaped
  // for the inside of a JSON string (and so does any other value's text).
  absl::Status append(const EvalContext& context, bool raw, std::string* out) const;

  // For `when`: null, false, 0, "", [] and {} are false, and so is what does not exist.
  bool truthy(const EvalContext& context) const;

  Root root() const { return root_; }
  int stage() const { return stage_; }  // index, or -1 when root() is not kStage
  void set_stage(int stage) { stage_ = stage; }
  bool has_star() const { return star_; }
  absl::Span<const Step> steps() const { return steps_; }  // below the root
  const std::string& text() const { return text_; }        // "/stages/fetch/*/body"

 private:
  const JsonValue* root_value(const EvalContext& context, JsonValue& scratch) const;

  Root root_ = Root::kInput;
  int stage_ = -1;
  bool star_ = false;
  std::vector<Step> steps_;
  std::string text_;
};

}  // namespace fermata
