#include "plugins/html/url.h"

#include <vector>

#include "absl/strings/ascii.h"

namespace fermata::html {
namespace {

std::string cleaned(std::string_view text) {
  std::size_t begin = 0;
  std::size_t end = text.size();
  while (begin < end && static_cast<unsigned char>(text[begin]) <= ' ') ++begin;
  while (end > begin && static_cast<unsigned char>(text[end - 1]) <= ' ') --end;
  std::string out;
  for (char c : text.substr(begin, end - begin)) {
    if (c != '\t' && c != '\n' && c != '\r') out.push_back(c);
  }
  return out;
}

// Escapes what may not stand in a URL; an escape that is there already stays as it is.
std::string escaped(std::string_view text) {
  constexpr std::string_view kBad = " \"<>`{}|\\^";
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > ' ' && byte < 0x7F && kBad.find(c) == std::string_view::npos) {
      out.push_back(c);
    } else {
      out.push_back('%');
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    }
  }
  return out;
}

std::string lower(std::string_view text) {
  std::string out(text);
  absl::AsciiStrToLower(&out);
  return out;
}

// Length of "scheme" in "scheme:...", 0 when the text has none.
std::size_t scheme_length(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == ':') return i;
    const bool legal = absl::ascii_isalpha(c) ||
                       (i > 0 && (absl::ascii_isdigit(c) || c == '+' || c == '-' || c == '.'));
    if (!legal) return 0;
  }
  return 0;
}

bool is_web(std::string_view scheme) { return scheme == "http" || scheme == "https"; }

std::string tidy_authority(std::string_view scheme, std::string_view authority) {
  std::string out = lower(authority.substr(authority.rfind('@') + 1));
  const std::string_view port = scheme == "https" ? ":443" : scheme == "http" ? ":80" : "";
  if (!port.empty() && out.ends_with(port)) out.resize(out.size() - port.size());
  const std::size_t at = authority.rfind('@');
  return at == std::string_view::npos ? out : std::string(authority.substr(0, at + 1)) + out;
}

// RFC 3986 5.2.4, on segments.
std::string without_dots(std::string_view path) {
  const bool rooted = path.starts_with('/');
  std::vector<std::string_view> kept;
  bool open = false;  // the path ends in a slash
  std::size_t at = rooted ? 1 : 0;
  while (at <= path.size()) {
    const std::size_t slash = std::min(path.find('/', at), path.size());
    const std::string_view segment = path.substr(at, slash - at);
    const bool last = slash == path.size();
    if (segment == "..") {
      if (!kept.empty()) kept.pop_back();
      open = last;
    } else if (segment == ".") {
      open = last;
    } else {
      kept.push_back(segment);
      open = false;
    }
    at = slash + 1;
  }
  std::string out = rooted ? "/" : "";
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (i > 0) out.push_back('/');
    out.append(kept[i]);
  }
  if (open && !kept.empty()) out.push_back('/');
  return out;
}

std::string merged_path(const Url& base, const std::string& path) {
  if (base.authority.has_value() && base.path.empty()) return "/" + path;
  return base.path.substr(0, base.path.rfind('/') + 1) + path;
}

void tidy_web(Url& url) {
  if (!is_web(url.scheme) || !url.authority.has_value()) return;
  url.authority = tidy_authority(url.scheme, *url.authority);
  if (url.path.empty()) url.path = "/";
}

}  // namespace

std::string Url::text() const {
  std::string out;
  if (!scheme.empty()) out += scheme + ":";
  if (authority.has_value()) out += "//" + *authority;
  out += path;
  if (query.has_value()) out += "?" + *query;
  if (fragment.has_value()) out += "#" + *fragment;
  return out;
}

std::string_view Url::host() const {
  if (!authority.has_value()) return {};
  std::string_view host = *authority;
  host = host.substr(host.rfind('@') + 1);
  const std::size_t colon = host.rfind(':');
  const std::size_t bracket = host.rfind(']');
  const bool port =
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  return port ? host.substr(0, colon) : host;
}

Url parse_url(std::string_view text) {
  std::string whole = cleaned(text);
  std::string_view rest = whole;
  Url url;
  if (const std::size_t hash = rest.find('#'); hash != std::string_view::npos) {
    url.fragment = escaped(rest.substr(hash + 1));
    rest = rest.substr(0, hash);
  }
  if (const std::size_t mark = rest.find('?'); mark != std::string_view::npos) {
    url.query = escaped(rest.substr(mark + 1));
    rest = rest.substr(0, mark);
  }
  if (const std::size_t length = scheme_length(rest); length > 0) {
    url.scheme = lower(rest.substr(0, length));
    rest.remove_prefix(length + 1);
  }
  std::string path(rest);
  if (url.scheme.empty() || is_web(url.scheme)) {
    for (char& c : path) {
      if (c == '\\') c = '/';
    }
  }
  rest = path;
  if (rest.starts_with("//")) {
    const std::size_t end = std::min(rest.find('/', 2), rest.size());
    url.authority = std::string(rest.substr(2, end - 2));
    rest.remove_prefix(end);
  }
  url.path = escaped(rest);
  tidy_web(url);
  return url;
}

Url resolve(const Url& base, const Url& reference) {
  Url out = reference;
  if (!reference.scheme.empty()) {
    // "mailto:" and its like have no hierarchy to tidy.
    if (out.authority.has_value()) out.path = without_dots(out.path);
    tidy_web(out);
    return out;
  }
  out.scheme = base.scheme;
  if (reference.authority.has_value()) {
    out.path = without_dots(out.path);
    tidy_web(out);
    return out;
  }
  out.authority = base.authority;
  if (reference.path.empty()) {
    out.path = base.path;
    if (!reference.query.has_value()) out.query = base.query;
  } else if (reference.path.starts_with('/')) {
    out.path = without_dots(reference.path);
  } else {
    out.path = without_dots(merged_path(base, reference.path));
  }
  tidy_web(out);
  return out;
}

}  // namespace fermata::html
