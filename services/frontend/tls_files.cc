#include "services/frontend/tls_files.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>
#include <utility>

#include "services/config/private_file.h"
#include "services/config/str_cat.h"

namespace fermata::frontend {
namespace {

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Bio = std::unique_ptr<BIO, Deleter<&BIO_free_all>>;
using Certificate = std::unique_ptr<X509, Deleter<&X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Deleter<&EVP_PKEY_free>>;

Bio bio_of(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// No one is there to type a passphrase.
int no_passphrase(char*, int, int, void*) { return -1; }

absl::Status bad(const std::string& path, std::string_view expected, std::string_view got) {
  return absl::InvalidArgumentError(str_cat(path, ": expected ", expected, ", got ", got));
}

// The first of the certificates in `text`, all of which must be readable.
absl::StatusOr<Certificate> first_certificate(const std::string& text, const std::string& path) {
  const Bio bio = bio_of(text);
  Certificate first;
  while (true) {
    Certificate next(PEM_read_bio_X509(bio.get(), nullptr, &no_passphrase, nullptr));
    if (next == nullptr) break;
    if (first == nullptr) first = std::move(next);
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (first == nullptr) return bad(path, "certificates in PEM", "none");
  if (!at_end) return bad(path, "certificates in PEM", "one that cannot be read");
  return first;
}

absl::Time time_of(const ASN1_TIME* time) {
  std::tm parts = {};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return absl::InfinitePast();
  return absl::FromTM(parts, absl::UTCTimeZone());
}

}  // namespace

absl::StatusOr<TlsMaterial> load_tls(const TlsPaths& paths, absl::Time now) {
  TlsMaterial out;
  absl::StatusOr<std::string> chain = read_private_file(paths.certificate, FilePrivacy::kTrusted);
  if (!chain.ok()) return chain.status();
  absl::StatusOr<std::string> key = read_private_file(paths.key, FilePrivacy::kSecret);
  if (!key.ok()) return key.status();
  const absl::StatusOr<Certificate> own = first_certificate(*chain, paths.certificate);
  if (!own.ok()) return own.status();
  const Bio key_bio = bio_of(*key);
  const Key private_key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, &no_passphrase, nullptr));
  ERR_clear_error();
  if (private_key == nullptr) {
    return bad(paths.key, "a private key in PEM without a passphrase", "none that can be read");
  }
  if (X509_check_private_key(own->get(), private_key.get()) != 1) {
    ERR_clear_error();
    return bad(paths.key, str_cat("the key of the first certificate in ", paths.certificate),
               "the key of another one");
  }
  out.expires = time_of(X509_get0_notAfter(own->get()));
  if (out.expires <= now) {
    return bad(paths.certificate, "a certificate that is valid now",
               str_cat("one that expired at ", absl::FormatTime(out.expires)));
  }
  if (!paths.client_ca.empty()) {
    absl::StatusOr<std::string> authorities =
        read_private_file(paths.client_ca, FilePrivacy::kTrusted);
    if (!authorities.ok()) return authorities.status();
    const absl::StatusOr<Certificate> first = first_certificate(*authorities, paths.client_ca);
    if (!first.ok()) return first.status();
    out.client_ca = *std::move(authorities);
  }
  out.chain = *std::move(chain);
  out.key = *std::move(key);
  return out;
}

}  // namespace fermata::frontend
