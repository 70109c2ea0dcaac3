#include "services/frontend/token.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "absl/strings/escaping.h"
#include "services/config/sha256.h"
#include "services/config/str_cat.h"

namespace fermata::frontend {
namespace {

constexpr std::string_view kPrefix = "fermata_";
constexpr size_t kIdDigits = 16;
constexpr size_t kSecretDigits = 64;

bool is_hex(std::string_view text, size_t digits) {
  return text.size() == digits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

absl::StatusOr<NewToken> make_token() {
  std::string random((kIdDigits + kSecretDigits) / 2, '\0');
  if (RAND_bytes(reinterpret_cast<uint8_t*>(random.data()), static_cast<int>(random.size())) != 1) {
    return absl::UnavailableError("expected random bytes from the system, got none");
  }
  const std::string digits = absl::BytesToHexString(random);
  NewToken out;
  out.id = digits.substr(0, kIdDigits);
  out.token = str_cat(kPrefix, out.id, "_", digits.substr(kIdDigits));
  out.sha256 = sha256_hex(out.token);
  return out;
}

std::optional<std::string_view> token_id(std::string_view token) {
  if (token.size() != kPrefix.size() + kIdDigits + 1 + kSecretDigits) return std::nullopt;
  if (token.substr(0, kPrefix.size()) != kPrefix) return std::nullopt;
  const std::string_view id = token.substr(kPrefix.size(), kIdDigits);
  const bool whole = is_hex(id, kIdDigits) && token[kPrefix.size() + kIdDigits] == '_' &&
                     is_hex(token.substr(token.size() - kSecretDigits), kSecretDigits);
  return whole ? std::optional(id) : std::nullopt;
}

bool same_hash(const TokenHash& a, const TokenHash& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::optional<TokenHash> parse_token_hash(std::string_view hex) {
  if (!is_hex(hex, 2 * std::tuple_size_v<TokenHash>)) return std::nullopt;
  const std::string bytes = absl::HexStringToBytes({hex.data(), hex.size()});
  TokenHash out;
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

bool is_token_id(std::string_view text) { return is_hex(text, kIdDigits); }

}  // namespace fermata::frontend
