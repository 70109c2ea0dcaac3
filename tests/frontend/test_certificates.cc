#include "tests/frontend/test_certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "gtest/gtest.h"

namespace fermata::frontend {
namespace {

template <class Write>
std::string pem_of(Write write) {
  BIO* bio = BIO_new(BIO_s_mem());
  EXPECT_EQ(write(bio), 1);
  char* data = nullptr;
  const auto size = static_cast<size_t>(BIO_get_mem_data(bio, &data));
  std::string out(data, size);
  BIO_free(bio);
  return out;
}

std::string pem_of(X509* certificate) {
  return pem_of([=](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
}

std::string pem_of(EVP_PKEY* key) {
  return pem_of([=](BIO* bio) {
    return PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  ASSERT_NE(extension, nullptr) << value;
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// Not signed yet. Began an hour ago, so that one that is over can be made, too.
X509* blank(EVP_PKEY* key, const std::string& name, absl::Duration valid) {
  static long serial = 1;
  X509* out = X509_new();
  X509_set_version(out, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(out), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(out), -3600);
  X509_gmtime_adj(X509_getm_notAfter(out), static_cast<long>(absl::ToInt64Seconds(valid)));
  X509_NAME_add_entry_by_txt(X509_get_subject_name(out), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_pubkey(out, key);
  return out;
}

}  // namespace

struct TestAuthority::State {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = nullptr;
  std::string pem;
};

TestAuthority::TestAuthority(const std::string& name) : state_(std::make_unique<State>()) {
  state_->certificate = blank(state_->key, name, absl::Hours(24));
  X509_set_issuer_name(state_->certificate, X509_get_subject_name(state_->certificate));
  add_extension(state_->certificate, state_->certificate, NID_basic_constraints,
                "critical,CA:TRUE");
  EXPECT_GT(X509_sign(state_->certificate, state_->key, EVP_sha256()), 0);
  state_->pem = pem_of(state_->certificate);
}

TestAuthority::~TestAuthority() {
  X509_free(state_->certificate);
  EVP_PKEY_free(state_->key);
}

const std::string& TestAuthority::certificate() const { return state_->pem; }

PemPair TestAuthority::issue(const std::string& common_name, const std::string& san,
                             absl::Duration valid) const {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = blank(key, common_name, valid);
  X509_set_issuer_name(certificate, X509_get_subject_name(state_->certificate));
  if (!san.empty()) {
    add_extension(certificate, state_->certificate, NID_subject_alt_name, san);
  }
  EXPECT_GT(X509_sign(certificate, state_->key, EVP_sha256()), 0);
  PemPair out{pem_of(certificate), pem_of(key)};
  X509_free(certificate);
  EVP_PKEY_free(key);
  return out;
}

}  // namespace fermata::frontend
