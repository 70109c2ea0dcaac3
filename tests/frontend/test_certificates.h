// Certificate authorities and certificates for tests, made with OpenSSL in memory.
#pragma once

#include <memory>
#include <string>

#include "absl/time/time.h"

namespace fermata::frontend {

struct PemPair {
  std::string certificate;
  std::string key;
};

class TestAuthority {
 public:
  explicit TestAuthority(const std::string& name);
  ~TestAuthority();
  TestAuthority(const TestAuthority&) = delete;

  const std::string& certificate() const;
  // `san` in OpenSSL's words: "IP:127.0.0.1,URI:spiffe://x/y"; "" for none.
  PemPair issue(const std::string& common_name, const std::string& san,
                absl::Duration valid = absl::Hours(1)) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fermata::frontend
