// parse_json(): RapidJSON's reader behind a handler that keeps what the reader does not.
//
// The reader checks the grammar and nothing else. Numbers come as text and are converted here,
// since its own conversion overflows an int on "0.01e-2147483639" and rounds some doubles wrongly.
// Lone low surrogates and bytes that are not UTF-8 pass it, equal keys do too, and its recursion
// has no limit.
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/charconv.h"
#include "absl/strings/numbers.h"
#include "rapidjson/reader.h"
#include "services/config/bytes.h"
#include "services/config/json.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"

namespace fermata {
namespace {

// RapidJSON's input stream over bytes that do not end with a NUL.
struct ViewStream {
  using Ch = char;

  explicit ViewStream(std::string_view text)
      : at(text.data()), begin(text.data()), end(text.data() + text.size()) {}

  Ch Peek() const { return at == end ? '\0' : *at; }
  Ch Take() { return at == end ? '\0' : *at++; }
  size_t Tell() const { return static_cast<size_t>(at - begin); }
  // Only for parsing in place, which nobody asks for.
  Ch* PutBegin() { return nullptr; }
  void Put(Ch) {}
  void Flush() {}
  size_t PutEnd(Ch*) { return 0; }

  const char* at;
  const char* begin;
  const char* end;
};

// Passes events on to a Document; says no, and why, to what must not get in.
class Guard {
 public:
  using Ch = char;
  using Size = rapidjson::SizeType;

  Guard(JsonDocument& out, int depth) : out_(out), depth_left_(depth), depth_(depth) {}

  bool Null() { return out_.Null(); }
  bool Bool(bool value) { return out_.Bool(value); }
  bool Int(int value) { return out_.Int(value); }
  bool Uint(unsigned value) { return out_.Uint(value); }
  bool Int64(int64_t value) { return out_.Int64(value); }
  bool Uint64(uint64_t value) { return out_.Uint64(value); }
  bool Double(double value) { return out_.Double(value); }

  bool RawNumber(const char* text, Size length, bool) {
    std::string_view number(text, length);
    if (number.find_first_of(".eE") == std::string_view::npos) {
      int64_t integer = 0;
      if (absl::SimpleAtoi(for_absl(number), &integer)) return out_.Int64(integer);
      uint64_t natural = 0;
      if (absl::SimpleAtoi(for_absl(number), &natural)) return out_.Uint64(natural);
    }
    double value = 0;
    absl::from_chars_result got = absl::from_chars(text, text + length, value);
    bool overflow = got.ec == std::errc::result_out_of_range && std::abs(value) > 1;
    if (overflow || !std::isfinite(value)) return refuse("expected a number below 1.8e308");
    return out_.Double(value);
  }

  bool String(const char* text, Size length, bool copy) {
    return whole({text, length}) && out_.String(text, length, copy);
  }
  bool Key(const char* text, Size length, bool copy) {
    return whole({text, length}) && out_.Key(text, length, copy);
  }
  bool StartObject() { return enter() && out_.StartObject(); }
  bool StartArray() { return enter() && out_.StartArray(); }
  bool EndObject(Size members) {
    ++depth_left_;
    return out_.EndObject(members);
  }
  bool EndArray(Size items) {
    ++depth_left_;
    return out_.EndArray(items);
  }

  const std::string& reason() const { return reason_; }

 private:
  bool refuse(std::string reason) {
    reason_ = std::move(reason);
    return false;
  }

  bool enter() {
    if (depth_left_ == 0) {
      return refuse(str_cat("expected at most ", depth_, " arrays and objects inside each other"));
    }
    --depth_left_;
    return true;
  }

  // The reader lets a lone low surrogate through, as the three bytes ED B0..BF xx.
  bool whole(std::string_view text) {
    if (std::memchr(text.data(), 0xED, text.size()) == nullptr || is_utf8(text)) return true;
    return refuse(
        "expected \\uD800..\\uDBFF before \\uDC00..\\uDFFF, got half of a surrogate pair");
  }

  JsonDocument& out_;
  int depth_left_;
  int depth_;
  std::string reason_;
};

struct Generator {
  std::string_view text;
  int depth;
  std::string reason;
  rapidjson::ParseResult result;

  bool operator()(JsonDocument& out) {
    ViewStream stream(text);
    Guard guard(out, depth);
    rapidjson::Reader reader;
    result = reader.Parse<rapidjson::kParseNumbersAsStringsFlag>(stream, guard);
    reason = guard.reason();
    return !result.IsError();
  }
};

std::string_view expected(rapidjson::ParseErrorCode code) {
  switch (code) {
    case rapidjson::kParseErrorDocumentEmpty:
      return "a JSON value";
    case rapidjson::kParseErrorDocumentRootNotSingular:
      return "the end after the value";
    case rapidjson::kParseErrorValueInvalid:
      return "a JSON value";
    case rapidjson::kParseErrorObjectMissName:
      return "a member name in double quotes";
    case rapidjson::kParseErrorObjectMissColon:
      return "':' after the member name";
    case rapidjson::kParseErrorObjectMissCommaOrCurlyBracket:
      return "',' or '}'";
    case rapidjson::kParseErrorArrayMissCommaOrSquareBracket:
      return "',' or ']'";
    case rapidjson::kParseErrorStringUnicodeEscapeInvalidHex:
      return "four hex digits after \\u";
    case rapidjson::kParseErrorStringUnicodeSurrogateInvalid:
      return "\\uDC00..\\uDFFF after \\uD800..\\uDBFF";
    case rapidjson::kParseErrorStringEscapeInvalid:
      return "one of the escapes \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u (a raw control character "
             "has to "
             "be escaped)";
    case rapidjson::kParseErrorStringMissQuotationMark:
      return "a closing '\"'";
    case rapidjson::kParseErrorNumberTooBig:
      return "a number below 1.8e308";
    case rapidjson::kParseErrorNumberMissFraction:
      return "digits after the '.'";
    case rapidjson::kParseErrorNumberMissExponent:
      return "digits in the exponent";
    default:
      return "JSON";
  }
}

absl::Status error_at(std::string_view text, size_t offset, std::string_view message) {
  TextPosition position = text_position(text, offset);
  return absl::InvalidArgumentError(
      str_cat("line ", position.line, ", column ", position.column, ": ", message));
}

// What stands at `offset`, for "got ...".
std::string found_at(std::string_view text, size_t offset) {
  if (offset >= text.size()) return "the end of the text";
  size_t length = 1;
  auto is_word = [](char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)); };
  while (is_word(text[offset]) && length < 16 && offset + length < text.size() &&
         is_word(text[offset + length])) {
    ++length;
  }
  while (offset + length < text.size() && (text[offset + length] & 0xC0) == 0x80) ++length;
  return str_cat("'", utf8_preview(text.substr(offset, length), 20), "'");
}

absl::Status explain(std::string_view text, const Generator& generator) {
  size_t offset = generator.result.Offset();
  if (!generator.reason.empty()) return error_at(text, offset, generator.reason);
  return error_at(
      text, offset,
      str_cat("expected ", expected(generator.result.Code()), ", got ", found_at(text, offset)));
}

// The first key that an object has twice, as "pointer of the object" and "key".
const JsonValue* repeated_key(const JsonValue& object) {
  if (object.MemberCount() <= 16) {
    for (auto a = object.MemberBegin(); a != object.MemberEnd(); ++a) {
      for (auto b = object.MemberBegin(); b != a; ++b) {
        if (as_string_view(a->name) == as_string_view(b->name)) return &a->name;
      }
    }
    return nullptr;
  }
  absl::flat_hash_set<std::string_view> seen;
  seen.reserve(object.MemberCount());
  for (const auto& member : object.GetObject()) {
    if (!seen.insert(as_string_view(member.name)).second) return &member.name;
  }
  return nullptr;
}

// Recurses as deep as the limit let the reader go.
absl::Status check_keys(const JsonValue& value, std::string* pointer) {
  size_t length = pointer->size();
  if (value.IsArray()) {
    for (rapidjson::SizeType i = 0; i < value.Size(); ++i) {
      if (!value[i].IsArray() && !value[i].IsObject()) continue;
      str_append(pointer, "/", i);
      if (absl::Status status = check_keys(value[i], pointer); !status.ok()) return status;
      pointer->resize(length);
    }
  } else if (value.IsObject()) {
    if (const JsonValue* key = repeated_key(value)) {
      return absl::InvalidArgumentError(
          str_cat(pointer->empty() ? "the object" : utf8_preview(*pointer, 200),
                  ": expected every key once, got ", json_preview(*key), " twice"));
    }
    for (const auto& member : value.GetObject()) {
      if (!member.value.IsArray() && !member.value.IsObject()) continue;
      pointer->append(json_pointer_step(as_string_view(member.name)));
      if (absl::Status status = check_keys(member.value, pointer); !status.ok()) return status;
      pointer->resize(length);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<JsonDocument> parse_json(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytes) {
    return absl::ResourceExhaustedError(str_cat("expected at most ", format_bytes(limits.bytes),
                                                " of JSON, got ", text.size(), " bytes"));
  }
  if (size_t valid = utf8_valid_prefix(text); valid < text.size()) {
    return error_at(text, valid,
                    str_cat("expected UTF-8, got the byte 0x",
                            absl::Hex(static_cast<uint8_t>(text[valid]), absl::kZeroPad2)));
  }
  // The reader takes a NUL for the end and would not see what follows it.
  if (size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return error_at(text, nul, "expected JSON, got a NUL byte");
  }
  Generator generator{text, limits.depth, "", {}};
  JsonDocument document;
  document.Populate(generator);
  if (generator.result.IsError()) return explain(text, generator);
  std::string pointer;
  if (absl::Status status = check_keys(document, &pointer); !status.ok()) return status;
  return document;
}

}  // namespace fermata
