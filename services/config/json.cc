#include "services/config/json.h"

#include "rapidjson/stringbuffer.h"
#include "rapidjson/writer.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"

namespace fermata {
namespace {

// RapidJSON's output stream over a std::string, so that text is written where it is wanted.
class StringStream {
 public:
  using Ch = char;
  explicit StringStream(std::string* out) : out_(out) {}
  void Put(char c) { out_->push_back(c); }
  void Flush() {}

 private:
  std::string* out_;
};

using JsonWriter = rapidjson::Writer<StringStream>;

}  // namespace

void append_json(const JsonValue& value, std::string* out) {
  if (value.IsString()) {  // the most frequent, and much faster without the writer's setup
    out->push_back('"');
    append_json_escaped(as_string_view(value), out);
    out->push_back('"');
    return;
  }
  StringStream stream(out);
  JsonWriter writer(stream);
  value.Accept(writer);
}

std::string to_json(const JsonValue& value) {
  std::string out;
  append_json(value, &out);
  return out;
}

void append_json_escaped(std::string_view text, std::string* out) {
  static constexpr char kHex[] = "0123456789abcdef";
  size_t done = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned char c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out->append(text.substr(done, i - done));
    done = i + 1;
    switch (c) {
      case '"':
        out->append("\\\"");
        break;
      case '\\':
        out->append("\\\\");
        break;
      case '\n':
        out->append("\\n");
        break;
      case '\r':
        out->append("\\r");
        break;
      case '\t':
        out->append("\\t");
        break;
      default:
        out->append("\\u00");
        out->push_back(kHex[c >> 4]);
        out->push_back(kHex[c & 15]);
    }
  }
  out->append(text.substr(done));
}

std::string json_quote(std::string_view text) {
  std::string out = "\"";
  append_json_escaped(text, &out);
  out.push_back('"');
  return out;
}

std::string_view json_type_name(const JsonValue& value) {
  switch (value.GetType()) {
    case rapidjson::kNullType:
      return "null";
    case rapidjson::kFalseType:
    case rapidjson::kTrueType:
      return "boolean";
    case rapidjson::kObjectType:
      return "object";
    case rapidjson::kArrayType:
      return "array";
    case rapidjson::kStringType:
      return "string";
    case rapidjson::kNumberType:
      break;
  }
  return value.IsDouble() ? "number" : "integer";
}

std::string json_preview(const JsonValue& value, size_t max) {
  if (value.IsString()) {
    return str_cat("\"", utf8_preview(as_string_view(value), max), "\"");
  }
  // A large value is named, not printed only to be cut.
  if (value.IsArray() && value.Size() > 8) {
    return str_cat("an array of ", value.Size(), " items");
  }
  if (value.IsObject() && value.MemberCount() > 8) {
    return str_cat("an object of ", value.MemberCount(), " members");
  }
  if (value.IsArray() && value.Size() > 0) {
    std::string out = "[";
    for (const JsonValue& item : value.GetArray()) {
      if (out.size() > max) break;
      str_append(&out, out.size() > 1 ? "," : "", json_preview(item, max / 2));
    }
    return utf8_preview(out + "]", max);
  }
  if (value.IsObject() && value.MemberCount() > 0) {
    std::string out = "{";
    for (const auto& member : value.GetObject()) {
      if (out.size() > max) break;
      str_append(&out, out.size() > 1 ? "," : "", json_preview(member.name, max / 2), ":",
                 json_preview(member.value, max / 2));
    }
    return utf8_preview(out + "}", max);
  }
  return utf8_preview(to_json(value), max);
}

std::string json_pointer_step(std::string_view name) {
  std::string out = "/";
  for (char c : name) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out.push_back(c);
    }
  }
  return out;
}

const JsonValue* find_member(const JsonValue& object, std::string_view name) {
  if (!object.IsObject()) return nullptr;
  for (const auto& member : object.GetObject()) {
    if (as_string_view(member.name) == name) return &member.value;
  }
  return nullptr;
}

}  // namespace fermata
