// Absolute URLs from what pages write in href: RFC 3986 section 5, as forgiving as browsers are.
//
// Spaces around, tabs and newlines inside, backslashes and unescaped characters are mended; scheme
// and host become lower case and a default port is dropped, so that equal links compare equal.
// Pure functions, any thread.
#ifndef FERMATA_PLUGINS_HTML_URL_H_
#define FERMATA_PLUGINS_HTML_URL_H_

#include <optional>
#include <string>
#include <string_view>

namespace fermata::html {

struct Url {
  std::string scheme;  // "https"; empty in a relative reference
  std::optional<std::string> authority;
  std::string path;
  std::optional<std::string> query;
  std::optional<std::string> fragment;

  std::string text() const;
  // The host of the authority: no user, no port.
  std::string_view host() const;
};

// Splits and mends; every text is some reference, so this cannot fail.
Url parse_url(std::string_view text);

// `base` must have a scheme. RFC 3986 5.2.2, strict.
Url resolve(const Url& base, const Url& reference);

}  // namespace fermata::html

#endif  // FERMATA_PLUGINS_HTML_URL_H_
