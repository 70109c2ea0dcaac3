// AWS Signature Version 4 as a server checks it, written from its specification: the second opinion
// on what libcurl signs.
#ifndef FERMATA_TESTS_PLUGINS_S3_SIGNATURE_H_
#define FERMATA_TESTS_PLUGINS_S3_SIGNATURE_H_

#include <map>
#include <string>

namespace fermata::s3 {

struct SignedRequest {
  std::string method;
  std::string path;  // as it came, encoded
  std::string query;
  std::map<std::string, std::string> headers;  // lower case
  std::string body;
};

// The signature of the headers that `signed_headers` ("a;b") lists.
std::string signature(const SignedRequest& request, const std::string& signed_headers,
                      const std::string& scope, const std::string& secret_key);

// Empty when its Authorization is right for this key; else what is wrong.
std::string check_signature(const SignedRequest& request, const std::string& access_key,
                            const std::string& secret_key, const std::string& region);

}  // namespace fermata::s3

#endif  // FERMATA_TESTS_PLUGINS_S3_SIGNATURE_H_
