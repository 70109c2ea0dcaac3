#include "services/config/redactor.h"

#include <algorithm>

namespace fermata {
namespace {

// So much of a secret gives it away.
constexpr size_t kTelling = 12;
constexpr std::string_view kInstead = "[secret]";

}  // namespace

Redactor::Redactor(const std::vector<std::string>& secrets) {
  for (std::string_view rest : secrets) {
    while (!rest.empty()) {
      const size_t end = rest.find('\n');
      const std::string_view line = rest.substr(0, end);
      if (line.size() >= kMinSecret) secrets_.emplace_back(line);
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
  }
  std::sort(secrets_.begin(), secrets_.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  });
}

std::string Redactor::redact(std::string text) const {
  for (const std::string& secret : secrets_) {
    const std::string_view head = std::string_view(secret).substr(0, kTelling);
    for (size_t at = text.find(head); at != std::string::npos; at = text.find(head, at)) {
      size_t size = head.size();
      while (size < secret.size() && at + size < text.size() && text[at + size] == secret[size]) {
        ++size;
      }
      text.replace(at, size, kInstead);
      at += kInstead.size();
    }
  }
  return text;
}

}  // namespace fermata
