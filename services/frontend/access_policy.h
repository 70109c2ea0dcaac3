// AccessPolicy: the tokens file, read and checked. Who there is, by token and by certificate.
//
//   tokens:
//     - id: 4f2a9c01d7e6b358            # both lines are printed by `fermata token new`
//       sha256: 9b1c...                 # of the whole token; the token itself is kept nowhere
//       principal: team-a               # several tokens may share one, as when they are exchanged
//       expires: 2027-01-01T00:00:00Z   # optional
//       grants:
//         - { allow: [submit, read, cancel], queues: [team-a, team-a-*] }
//         - { allow: [submit], queues: [shared], pipelines: [scrape-*] }
//         - { allow: [catalog] }
//   certificates:                       # of clients, verified by tls.client_ca
//     - san: spiffe://example.org/ingest   # or `cn: ...`; the whole name, no globs
//       principal: ingest
//       grants: [...]
//
// The file may be read by others, but written only by its owner. Immutable once made; any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "services/frontend/permission.h"
#include "services/frontend/token.h"

namespace fermata::frontend {

class AccessPolicy {
 public:
  // Errors name file:line:column, and never show a hash.
  static absl::StatusOr<std::shared_ptr<const AccessPolicy>> load(const std::string& path);
  static absl::StatusOr<std::shared_ptr<const AccessPolicy>> parse(std::string_view text,
                                                                   std::string_view filename);

  // Null when the token is none of these. Does not look at the expiry.
  std::shared_ptr<const Principal> find_token(std::string_view token) const;
  // By a name that a verified certificate carries; null when nobody has it.
  std::shared_ptr<const Principal> find_san(std::string_view name) const;
  std::shared_ptr<const Principal> find_cn(std::string_view name) const;

  // Whether a caller of this policy, or of one before it, is as it was: the same secret, name,
  // expiry and grants. Does not look at the clock.
  bool has(const Principal& caller) const;

  size_t size() const { return tokens_.size() + by_san_.size() + by_cn_.size(); }

 private:
  friend class AccessReader;
  struct Token {
    TokenHash hash;
    std::shared_ptr<const Principal> principal;
  };
  using ByName = absl::flat_hash_map<std::string, std::shared_ptr<const Principal>>;

  absl::flat_hash_map<std::string, Token> tokens_;  // by id
  ByName by_san_;
  ByName by_cn_;
};

}  // namespace fermata::frontend
