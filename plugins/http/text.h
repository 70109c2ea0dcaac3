// From the bytes of a body to UTF-8 text: media types, charsets, replacement of what is broken.
//
// The order of trust is the web's: byte order mark, Content-Type, a declaration inside the
// document, then "valid UTF-8 or else windows-1252". Pure functions, any thread.
#ifndef FERMATA_PLUGINS_HTTP_TEXT_H_
#define FERMATA_PLUGINS_HTTP_TEXT_H_

#include <string>
#include <string_view>

namespace fermata::http {

struct MediaType {
  std::string type;     // "text/html", lower case; empty when the header is missing or nonsense
  std::string charset;  // as given, lower case, unquoted; empty when there is none
};
MediaType parse_content_type(std::string_view header);

// text/*, and the application types that are text by another name (JSON, XML, JavaScript, forms).
bool is_text_type(std::string_view type);

// Every broken part (a stray byte and the continuation bytes after it) becomes one U+FFFD.
std::string replace_broken_utf8(std::string_view bytes);

// What the document says of itself in its first KiB: <meta charset>, <?xml encoding=...?>, or
// empty.
std::string declared_charset(std::string_view bytes);

struct Text {
  std::string utf8;
  std::string charset;  // what the bytes were read as
};
Text to_text(std::string bytes, const MediaType& type);

}  // namespace fermata::http

#endif  // FERMATA_PLUGINS_HTTP_TEXT_H_
