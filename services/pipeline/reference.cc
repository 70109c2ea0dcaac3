#include "services/pipeline/reference.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "services/config/nearest_name.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"

namespace fermata {
namespace {

constexpr size_t kMaxLength = 1000;

absl::Status wrong(std::string_view pointer, std::string_view expected) {
  return absl::InvalidArgumentError(
      str_cat("expected ", expected, ", got '${", utf8_preview(pointer, 80), "}'"));
}

// RFC 6901: an array index has no sign and no leading zero.
int64_t index_of(std::string_view name) {
  int64_t index = -1;
  if (name.empty() || name.size() > 18 || (name[0] == '0' && name.size() > 1)) return -1;
  if (name.find_first_not_of("0123456789") != std::string_view::npos) return -1;
  return absl::SimpleAtoi(for_absl(name), &index) ? index : -1;
}

absl::StatusOr<Reference::Step> read_step(std::string_view pointer, std::string_view escaped) {
  Reference::Step step;
  step.star = escaped == "*";
  for (size_t i = 0; i < escaped.size(); ++i) {
    char c = escaped[i];
    if (c != '~') {
      step.name.push_back(c);
    } else if (i + 1 < escaped.size() && (escaped[i + 1] == '0' || escaped[i + 1] == '1')) {
      step.name.push_back(escaped[++i] == '0' ? '~' : '/');
    } else {
      return wrong(pointer, "~0 (for ~) or ~1 (for /) after a ~");
    }
  }
  step.index = index_of(step.name);
  return step;
}

absl::StatusOr<std::vector<Reference::Step>> read_steps(std::string_view pointer) {
  if (pointer.empty() || pointer[0] != '/') {
    return wrong(pointer, "a reference that starts with /input, /item, /index or /stages/<name>");
  }
  if (pointer.size() > kMaxLength) {
    return wrong(pointer, str_cat("a reference of at most ", kMaxLength, " bytes"));
  }
  std::vector<Reference::Step> steps;
  for (size_t begin = 1; begin <= pointer.size();) {
    size_t end = std::min(pointer.find('/', begin), pointer.size());
    absl::StatusOr<Reference::Step> step = read_step(pointer, pointer.substr(begin, end - begin));
    if (!step.ok()) return step.status();
    steps.push_back(*std::move(step));
    begin = end + 1;
  }
  return steps;
}

// The child of `value`, or null.
const JsonValue* child(const JsonValue& value, const Reference::Step& step) {
  if (value.IsObject()) return find_member(value, step.name);
  if (value.IsArray() && step.index >= 0 && step.index < static_cast<int64_t>(value.Size())) {
    return &value[static_cast<unsigned>(step.index)];
  }
  return nullptr;
}

// "/stages/fetch/3" for the steps before `count`, for messages.
std::string place(const Reference& reference, size_t count) {
  static constexpr std::string_view kRoots[] = {"/input", "/item", "/index", "/stages"};
  std::string text(kRoots[static_cast<int>(reference.root())]);
  if (reference.root() == Reference::Root::kStage) {
    // The stage's name stands in the text, between the second slash and the third.
    const std::string& whole = reference.text();
    text = whole.substr(0, std::min(whole.find('/', 8), whole.size()));
  }
  for (size_t i = 0; i < count; ++i) text += json_pointer_step(reference.steps()[i].name);
  return text;
}

absl::Status missing(const Reference& reference, const JsonValue& at, size_t step) {
  const std::string& name = reference.steps()[step].name;
  std::string got = at.IsObject() ? "an object without it"
                    : at.IsArray()
                        ? str_cat("an array of ", at.Size(), at.Size() == 1 ? " item" : " items")
                        : json_preview(at);
  std::vector<std::string> names;
  if (at.IsObject() && at.MemberCount() <= 100) {
    for (const auto& member : at.GetObject()) names.emplace_back(as_string_view(member.name));
  }
  return absl::InvalidArgumentError(
      str_cat("${", reference.text(), "}: expected the member '", utf8_preview(name, 40), "' in ",
              utf8_preview(place(reference, step), 200), ", got ", got, did_you_mean(name, names)));
}

absl::Status not_an_array(const Reference& reference, const JsonValue& at, size_t step) {
  return absl::InvalidArgumentError(str_cat("${", reference.text(), "}: expected an array at ",
                                            utf8_preview(place(reference, step), 200), ", got ",
                                            json_preview(at)));
}

// Follows steps[from...] to the end or the next star. Null, and `stopped` set, when there is
// nothing.
const JsonValue* walk(const Reference& reference, const JsonValue* at, size_t* from,
                      const JsonValue** stopped) {
  absl::Span<const Reference::Step> steps = reference.steps();
  for (; *from < steps.size() && !steps[*from].star; ++*from) {
    const JsonValue* next = child(*at, steps[*from]);
    if (next == nullptr) {
      *stopped = at;
      return nullptr;
    }
    at = next;
  }
  return at;
}

}  // namespace

absl::StatusOr<Reference> Reference::parse(std::string_view pointer, const ReferenceScope& scope) {
  absl::StatusOr<std::vector<Step>> steps = read_steps(pointer);
  if (!steps.ok()) return steps.status();
  Reference reference;
  reference.text_ = std::string(pointer);
  size_t used = 1;
  const std::string& root = steps->front().name;
  if (root == "input") {
    reference.root_ = Root::kInput;
  } else if (root == "item" || root == "index") {
    reference.root_ = root == "item" ? Root::kItem : Root::kIndex;
    if (!scope.item) return wrong(pointer, "/item and /index only in a stage with `each`");
    if (root == "index" && steps->size() > 1) return wrong(pointer, "nothing below /index");
  } else if (root == "stages") {
    reference.root_ = Root::kStage;
    if (steps->size() < 2) return wrong(pointer, "/stages/<name>");
    const std::string& name = (*steps)[1].name;
    auto found = std::find(scope.stages.begin(), scope.stages.end(), name);
    if (found == scope.stages.end()) {
      return absl::InvalidArgumentError(str_cat("expected the name of a stage, got '${",
                                                utf8_preview(pointer, 80), "}'",
                                                did_you_mean(name, scope.stages)));
    }
    reference.stage_ = static_cast<int>(found - scope.stages.begin());
    used = 2;
  } else {
    static const std::vector<std::string> kRoots = {"input", "item", "index", "stages"};
    return absl::InvalidArgumentError(
        str_cat("expected /input, /item, /index or /stages/<name>, got '${",
                utf8_preview(pointer, 80), "}'", did_you_mean(root, kRoots)));
  }
  reference.steps_.assign(std::make_move_iterator(steps->begin() + static_cast<long>(used)),
                          std::make_move_iterator(steps->end()));
  reference.star_ = std::any_of(reference.steps_.begin(), reference.steps_.end(),
                                [](const Step& step) { return step.star; });
  return reference;
}

// `scratch` holds values that do not exist anywhere else: the index, null for a skipped stage.
const JsonValue* Reference::root_value(const EvalContext& context, JsonValue& scratch) const {
  const JsonValue* value = nullptr;
  switch (root_) {
    case Root::kInput:
      value = context.input;
      break;
    case Root::kItem:
      value = context.item;
      break;
    case Root::kIndex:
      scratch.SetUint64(context.index);
      break;
    case Root::kStage:
      if (static_cast<size_t>(stage_) < context.outputs.size()) {
        value = context.outputs[static_cast<size_t>(stage_)];
      }
      break;
  }
  return value == nullptr ? &scratch : value;
}

absl::StatusOr<const JsonValue*> Reference::find(const EvalContext& context) const {
  static const JsonValue* null = new JsonValue();
  if (star_ || root_ == Root::kIndex) {
    return absl::InvalidArgumentError(
        str_cat("expected a reference to a value that exists, got '${", text_, "}'"));
  }
  JsonValue scratch;
  const JsonValue* start = root_value(context, scratch);
  if (start == &scratch) start = null;
  size_t step = 0;
  const JsonValue* stopped = nullptr;
  const JsonValue* found = walk(*this, start, &step, &stopped);
  if (found == nullptr) return missing(*this, *stopped, step);
  return found;
}

namespace {

// Resolving and appending are the same walk with another sink.
class Mapper {
 public:
  explicit Mapper(const Reference& reference) : reference_(reference) {}

  // `lenient`: below a star, where what is missing is null.
  template <typename Sink>
  absl::Status visit(const JsonValue* at, size_t step, bool lenient, Sink& sink) {
    const JsonValue* stopped = nullptr;
    const JsonValue* found = walk(reference_, at, &step, &stopped);
    if (found == nullptr) {
      if (!lenient) return missing(reference_, *stopped, step);
      sink.null();
      return absl::OkStatus();
    }
    if (step == reference_.steps().size()) {
      sink.value(*found);
      return absl::OkStatus();
    }
    if (!found->IsArray()) {
      if (!lenient) return not_an_array(reference_, *found, step);
      sink.null();
      return absl::OkStatus();
    }
    sink.begin(found->Size());
    for (const JsonValue& item : found->GetArray()) {
      absl::Status status = visit(&item, step + 1, true, sink);
      if (!status.ok()) return status;
    }
    sink.end();
    return absl::OkStatus();
  }

 private:
  const Reference& reference_;
};

class TextSink {
 public:
  explicit TextSink(std::string* out) : out_(out) {}
  void null() { next("null"); }
  void value(const JsonValue& value) {
    next("");
    append_json(value, out_);
  }
  void begin(size_t) {
    next("[");
    first_ = true;
  }
  void end() {
    out_->push_back(']');
    first_ = false;
  }

 private:
  void next(std::string_view text) {
    if (!first_) out_->push_back(',');
    first_ = false;
    out_->append(text);
  }
  std::string* out_;
  bool first_ = true;  // no comma before the next value
};

class ValueSink {
 public:
  explicit ValueSink(JsonAllocator& allocator) : allocator_(allocator) {}
  void null() { put(JsonValue()); }
  void value(const JsonValue& value) { put(JsonValue(value, allocator_)); }
  void begin(size_t size) {
    open_.emplace_back(rapidjson::kArrayType);
    open_.back().Reserve(static_cast<unsigned>(size), allocator_);
  }
  void end() {
    JsonValue done = std::move(open_.back());
    open_.pop_back();
    put(std::move(done));
  }
  JsonValue take() { return std::move(root_); }

 private:
  void put(JsonValue value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else {
      open_.back().PushBack(std::move(value), allocator_);
    }
  }
  JsonAllocator& allocator_;
  std::vector<JsonValue> open_;
  JsonValue root_;
};

}  // namespace

absl::StatusOr<JsonValue> Reference::resolve(const EvalContext& context,
                                             JsonAllocator& allocator) const {
  JsonValue scratch;
  ValueSink sink(allocator);
  absl::Status status = Mapper(*this).visit(root_value(context, scratch), 0, false, sink);
  if (!status.ok()) return status;
  return sink.take();
}

absl::Status Reference::append(const EvalContext& context, bool raw, std::string* out) const {
  JsonValue scratch;
  const JsonValue* start = root_value(context, scratch);
  if (!raw) {
    TextSink sink(out);
    return Mapper(*this).visit(start, 0, false, sink);
  }
  if (!star_) {
    size_t step = 0;
    const JsonValue* stopped = nullptr;
    const JsonValue* found = walk(*this, start, &step, &stopped);
    if (found == nullptr) return missing(*this, *stopped, step);
    if (found->IsString()) {
      append_json_escaped(as_string_view(*found), out);
      return absl::OkStatus();
    }
  }
  std::string text;
  TextSink sink(&text);
  absl::Status status = Mapper(*this).visit(start, 0, false, sink);
  if (status.ok()) append_json_escaped(text, out);
  return status;
}

bool Reference::truthy(const EvalContext& context) const {
  JsonDocument scratch;
  absl::StatusOr<JsonValue> value = resolve(context, scratch.GetAllocator());
  if (!value.ok()) return false;
  switch (value->GetType()) {
    case rapidjson::kNullType:
    case rapidjson::kFalseType:
      return false;
    case rapidjson::kTrueType:
      return true;
    case rapidjson::kObjectType:
      return value->MemberCount() > 0;
    case rapidjson::kArrayType:
      return value->Size() > 0;
    case rapidjson::kStringType:
      return value->GetStringLength() > 0;
    case rapidjson::kNumberType:
      break;
  }
  return value->GetDouble() != 0;
}

}  // namespace fermata
