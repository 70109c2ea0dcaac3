#include "tests/plugins/s3/signature.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/config/sha256.h"

namespace fermata::s3 {
namespace {

std::string hmac(const std::string& key, const std::string& text) {
  std::string out(32, '\0');
  unsigned size = 0;
  ::HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         reinterpret_cast<unsigned char*>(out.data()), &size);
  return out;
}

std::string value(const SignedRequest& request, const std::string& name) {
  const auto found = request.headers.find(name);
  return found == request.headers.end() ? "" : found->second;
}

// "name=…" of an Authorization header.
std::string part(const std::string& text, const std::string& name) {
  const std::size_t begin = text.find(name + "=");
  if (begin == std::string::npos) return "";
  const std::string rest = text.substr(begin + name.size() + 1);
  return rest.substr(0, rest.find(','));
}

}  // namespace

std::string signature(const SignedRequest& request, const std::string& signed_headers,
                      const std::string& scope, const std::string& secret_key) {
  std::string canonical =
      absl::StrCat(request.method, "\n", request.path, "\n", request.query, "\n");
  for (const std::string& name : std::vector<std::string>(absl::StrSplit(signed_headers, ';'))) {
    absl::StrAppend(&canonical, name, ":", value(request, name), "\n");
  }
  absl::StrAppend(&canonical, "\n", signed_headers, "\n", value(request, "x-amz-content-sha256"));
  const std::string to_sign = absl::StrCat("AWS4-HMAC-SHA256\n", value(request, "x-amz-date"), "\n",
                                           scope, "\n", sha256_hex(canonical));
  std::string key = "AWS4" + secret_key;
  for (const std::string& step : std::vector<std::string>(absl::StrSplit(scope, '/'))) {
    key = hmac(key, step);
  }
  return absl::BytesToHexString(hmac(key, to_sign));
}

std::string check_signature(const SignedRequest& request, const std::string& access_key,
                            const std::string& secret_key, const std::string& region) {
  const std::string authorization = value(request, "authorization");
  if (!absl::StartsWith(authorization, "AWS4-HMAC-SHA256 ")) return "not signed";
  const std::string credential = part(authorization, "Credential");
  const std::size_t slash = credential.find('/');
  if (slash == std::string::npos || credential.substr(0, slash) != access_key) return "another key";
  const std::string scope = credential.substr(slash + 1);
  const std::string date = value(request, "x-amz-date").substr(0, 8);
  if (scope != absl::StrCat(date, "/", region, "/s3/aws4_request"))
    return "another scope: " + scope;
  const std::string signed_headers = part(authorization, "SignedHeaders");
  // Whoever may change these unsigned could store something else somewhere else.
  for (const auto& [name, text] : request.headers) {
    const bool must = name == "host" || name == "if-none-match" || name == "content-type" ||
                      absl::StartsWith(name, "x-amz-");
    const std::string all = ";" + signed_headers + ";";
    if (must && all.find(";" + name + ";") == std::string::npos) return "unsigned: " + name;
  }
  for (const std::string& name : std::vector<std::string>(absl::StrSplit(signed_headers, ';'))) {
    if (!request.headers.contains(name)) return "signed, but not sent: " + name;
  }
  if (value(request, "x-amz-content-sha256") != sha256_hex(request.body)) return "another body";
  const std::string expected = signature(request, signed_headers, scope, secret_key);
  return part(authorization, "Signature") == expected ? "" : "another signature";
}

}  // namespace fermata::s3
