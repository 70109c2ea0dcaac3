#include "plugins/smtp/message.h"

#include <algorithm>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "services/config/sha256.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"

namespace fermata::smtp {
namespace {

constexpr std::size_t kEncodedWordBytes = 45;  // in base64 and its frame: 72 characters of 75
constexpr std::size_t kBodyLineBytes = 57;     // 76 characters of base64
constexpr std::size_t kPlainHeaderMax = 900;   // of the 998 that a line may have

bool is_plain(std::string_view text) {
  return text.size() <= kPlainHeaderMax &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

// RFC 2047: what is not ASCII goes into headers as base64 words, none of which cuts a character.
std::string header_text(std::string_view text) {
  if (is_plain(text) && text.find("=?") == std::string_view::npos) return std::string(text);
  std::string out;
  while (!text.empty()) {
    std::size_t size = std::min(text.size(), kEncodedWordBytes);
    if (size < text.size())
      size = std::max<std::size_t>(1, utf8_valid_prefix(text.substr(0, size)));
    str_append(&out, out.empty() ? "" : "\r\n ", "=?UTF-8?B?",
               absl::Base64Escape(for_absl(text.substr(0, size))), "?=");
    text.remove_prefix(size);
  }
  return out;
}

std::string quoted_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

// RFC 2231 for what is not ASCII.
std::string filename_parameter(const std::string& name) {
  if (is_plain(name)) return str_cat("filename=", quoted_string(name));
  std::string out = "filename*=UTF-8''";
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte)) {
      out += c;
    } else {
      out += absl::StrFormat("%%%02X", byte);
    }
  }
  return out;
}

void add_part(std::string* out, std::string_view headers, std::string_view content) {
  str_append(out, headers, "\r\nContent-Transfer-Encoding: base64\r\n\r\n");
  do {
    const std::string_view line = content.substr(0, kBodyLineBytes);
    str_append(out, absl::Base64Escape(for_absl(line)), "\r\n");
    content.remove_prefix(line.size());
  } while (!content.empty());
}

void add_text(std::string* out, const Request& request, const std::string& boundary) {
  constexpr char kPlain[] = "Content-Type: text/plain; charset=utf-8";
  constexpr char kHtml[] = "Content-Type: text/html; charset=utf-8";
  if (request.html.empty()) return add_part(out, kPlain, request.text);
  if (request.text.empty()) return add_part(out, kHtml, request.html);
  str_append(out, "Content-Type: multipart/alternative; boundary=\"", boundary, "\"\r\n\r\n--",
             boundary, "\r\n");
  add_part(out, kPlain, request.text);
  str_append(out, "--", boundary, "\r\n");
  add_part(out, kHtml, request.html);
  str_append(out, "--", boundary, "--\r\n");
}

void add_headers(std::string* out, const Request& request, absl::Time date) {
  const std::string from =
      request.from_name.empty()
          ? request.from
          : str_cat(is_plain(request.from_name) && request.from_name.find("=?") == std::string::npos
                        ? quoted_string(request.from_name)
                        : header_text(request.from_name),
                    " <", request.from, ">");
  str_append(out,
             "Date: ", absl::FormatTime("%a, %d %b %Y %H:%M:%S +0000", date, absl::UTCTimeZone()),
             "\r\nFrom: ", from, "\r\nSubject: ", header_text(request.subject),
             "\r\nMessage-ID: ", request.message_id, "\r\n");
  // Each on a line of its own: a header's line has at most 998 bytes.
  if (!request.to.empty()) str_append(out, "To: ", absl::StrJoin(request.to, ",\r\n "), "\r\n");
  if (!request.cc.empty()) str_append(out, "Cc: ", absl::StrJoin(request.cc, ",\r\n "), "\r\n");
  if (!request.reply_to.empty()) str_append(out, "Reply-To: ", request.reply_to, "\r\n");
  str_append(out, "MIME-Version: 1.0\r\n");
}

}  // namespace

std::string message_text(const Request& request, absl::Time date) {
  std::string out;
  add_headers(&out, request, date);
  // "=_" is nowhere in base64, so no body has a boundary in it.
  const std::string boundary = str_cat("=_", sha256_hex(request.message_id).substr(0, 24));
  if (request.attachments.empty()) {
    add_text(&out, request, boundary);
    return out;
  }
  str_append(&out, "Content-Type: multipart/mixed; boundary=\"", boundary, "\"\r\n\r\n--", boundary,
             "\r\n");
  add_text(&out, request, boundary + "_");
  for (const Attachment& attachment : request.attachments) {
    str_append(&out, "--", boundary, "\r\n");
    add_part(&out,
             str_cat("Content-Type: ", attachment.type, "\r\nContent-Disposition: attachment;\r\n ",
                     filename_parameter(attachment.name)),
             attachment.content);
  }
  str_append(&out, "--", boundary, "--\r\n");
  return out;
}

}  // namespace fermata::smtp
