#include "plugins/http/text.h"

#include <iconv.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "services/config/utf8.h"

namespace fermata::http {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::size_t kDeclarationBytes = 1024;

constexpr std::string_view kSpace = " \t\r\n\f";

std::string_view after_space(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(kSpace), text.size()));
}

std::string_view trimmed(std::string_view text) {
  text = after_space(text);
  return text.substr(0, text.find_last_not_of(kSpace) + 1);
}

std::string lower(std::string_view text) {
  std::string out(text);
  absl::AsciiStrToLower(&out);
  return out;
}

std::string unquoted(std::string_view value) {
  value = trimmed(value);
  if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') &&
      value.back() == value.front()) {
    value = value.substr(1, value.size() - 2);
  }
  return lower(trimmed(value));
}

std::optional<std::string> mark_charset(std::string_view bytes, std::size_t* mark) {
  *mark = 3;
  if (bytes.starts_with("\xEF\xBB\xBF")) return "utf-8";
  *mark = 2;
  if (bytes.starts_with("\xFE\xFF")) return "utf-16be";
  if (bytes.starts_with("\xFF\xFE")) return "utf-16le";
  *mark = 0;
  return std::nullopt;
}

// The web reads these labels as windows-1252, which has letters where they have control characters.
std::string web_name(std::string name) {
  for (std::string_view alias : {"iso-8859-1", "iso8859-1", "latin1", "latin-1", "ascii",
                                 "us-ascii", "cp1252", "x-cp1252"}) {
    if (name == alias) return "windows-1252";
  }
  if (name == "utf8" || name == "unicode-1-1-utf-8") return "utf-8";
  if (name == "shift_jis" || name == "x-sjis" || name == "sjis") return "cp932";
  if (name == "gb2312" || name == "gb_2312-80") return "gbk";
  if (name == "utf-16") return "utf-16le";
  return name;
}

// nullopt when this machine has no such charset.
std::optional<std::string> convert(std::string_view bytes, const std::string& charset) {
  // A name with a slash could carry iconv's own options ("//IGNORE").
  if (charset.empty() || charset.find('/') != std::string::npos) return std::nullopt;
  const iconv_t handle = iconv_open("UTF-8", charset.c_str());
  if (handle == reinterpret_cast<iconv_t>(-1)) return std::nullopt;
  std::string out;
  out.reserve(bytes.size() + bytes.size() / 2);
  std::vector<char> chunk(16384);
  char* in = const_cast<char*>(bytes.data());  // iconv's prototype; it does not write
  std::size_t in_left = bytes.size();
  while (in_left > 0) {
    char* to = chunk.data();
    std::size_t to_left = chunk.size();
    const std::size_t got = iconv(handle, &in, &in_left, &to, &to_left);
    const int error = errno;
    out.append(chunk.data(), chunk.size() - to_left);
    if (got != static_cast<std::size_t>(-1) || error == E2BIG) continue;
    out.append(kReplacement);
    if (error != EILSEQ) break;  // EINVAL: the last character is cut off
    ++in;
    --in_left;
  }
  iconv_close(handle);
  return out;
}

}  // namespace

MediaType parse_content_type(std::string_view header) {
  MediaType media;
  std::size_t semicolon = header.find(';');
  media.type = lower(trimmed(header.substr(0, semicolon)));
  if (media.type.find('/') == std::string::npos) media.type.clear();
  while (semicolon != std::string_view::npos) {
    header.remove_prefix(semicolon + 1);
    semicolon = header.find(';');
    const std::string_view part = header.substr(0, semicolon);
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos || !media.charset.empty()) continue;
    if (lower(trimmed(part.substr(0, equals))) == "charset") {
      media.charset = unquoted(part.substr(equals + 1));
    }
  }
  return media;
}

bool is_text_type(std::string_view type) {
  if (type.starts_with("text/")) return true;
  if (type.ends_with("+json") || type.ends_with("+xml") || type.ends_with("+yaml")) {
    return true;
  }
  for (std::string_view known :
       {"application/json", "application/xml", "application/javascript", "application/ecmascript",
        "application/x-javascript", "application/x-www-form-urlencoded", "application/yaml",
        "application/x-yaml", "application/x-ndjson", "application/jsonlines", "application/toml",
        "application/graphql", "application/sql"}) {
    if (type == known) return true;
  }
  return false;
}

std::string replace_broken_utf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    std::size_t end = utf8_valid_prefix(bytes);
    out.append(bytes.substr(0, end));
    if (end == bytes.size()) break;
    out.append(kReplacement);
    ++end;
    while (end < bytes.size() && (static_cast<std::uint8_t>(bytes[end]) & 0xC0) == 0x80) ++end;
    bytes.remove_prefix(end);
  }
  return out;
}

std::string declared_charset(std::string_view bytes) {
  const std::string head = lower(bytes.substr(0, kDeclarationBytes));
  const bool xml = head.starts_with("<?xml");
  const std::string_view label = xml ? "encoding" : "charset";
  std::size_t at = xml ? 0 : head.find("<meta");
  if (at == std::string::npos) return "";
  at = head.find(label, at);
  if (at == std::string::npos) return "";
  std::string_view rest = after_space(std::string_view(head).substr(at + label.size()));
  if (!rest.starts_with('=')) return "";
  rest = after_space(rest.substr(1));
  if (rest.starts_with('"') || rest.starts_with('\'')) rest.remove_prefix(1);
  const std::string name(rest.substr(0, rest.find_first_of("\"' ;/>?\t\r\n")));
  // Bytes that could be searched for this text are not UTF-16, whatever they say.
  return name.starts_with("utf-16") ? "utf-8" : name;
}

Text to_text(std::string bytes, const MediaType& type) {
  std::size_t mark = 0;
  std::string charset;
  if (const std::optional<std::string> marked = mark_charset(bytes, &mark)) {
    charset = *marked;
    bytes.erase(0, mark);
  } else {
    charset = web_name(type.charset.empty() ? declared_charset(bytes) : type.charset);
  }
  if (charset.empty()) charset = is_utf8(bytes) ? "utf-8" : "windows-1252";
  if (charset != "utf-8") {
    if (std::optional<std::string> utf8 = convert(bytes, charset)) {
      return Text{*std::move(utf8), charset};
    }
  }
  if (is_utf8(bytes)) return Text{std::move(bytes), "utf-8"};
  return Text{replace_broken_utf8(bytes), "utf-8"};
}

}  // namespace fermata::http
