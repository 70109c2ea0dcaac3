#include "services/frontend/page_token.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace fermata::frontend {
namespace {

constexpr size_t kMaxToken = 512;

// FNV-1a: the same in every process, so that a token survives a restart. Not a secret.
std::string fingerprint(std::string_view text) {
  uint64_t hash = 14695981039346656037u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  std::string out(sizeof hash, '\0');
  std::memcpy(out.data(), &hash, sizeof hash);
  return out;
}

}  // namespace

std::string make_page_token(std::string_view position, std::string_view arguments) {
  return absl::WebSafeBase64Escape(fingerprint(arguments) + std::string(position));
}

absl::StatusOr<std::string> read_page_token(std::string_view token, std::string_view arguments) {
  if (token.empty()) return std::string();
  std::string raw;
  const bool readable = token.size() <= kMaxToken &&
                        absl::WebSafeBase64Unescape({token.data(), token.size()}, &raw) &&
                        raw.size() > sizeof(uint64_t);
  if (!readable) {
    return absl::InvalidArgumentError(
        "expected the next_page_token of an earlier answer, got something else; begin again "
        "without a token");
  }
  if (raw.compare(0, sizeof(uint64_t), fingerprint(arguments)) != 0) {
    return absl::InvalidArgumentError(
        "belongs to a listing with other arguments; send the same ones, or begin again without a "
        "token");
  }
  return raw.substr(sizeof(uint64_t));
}

absl::StatusOr<int32_t> read_page_size(int32_t asked, int32_t fallback, int32_t most) {
  if (asked < 0) {
    return absl::InvalidArgumentError(absl::StrCat("expected 0 or more, got ", asked));
  }
  return asked == 0 ? fallback : std::min(asked, most);
}

}  // namespace fermata::frontend
