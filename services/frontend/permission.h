// Permissions, and what a principal has been granted: pure values, any thread.
//
// A grant gives permissions on queues, which are named by globs ("team-a-*"). Submitting can be
// narrowed further to named pipelines: whoever may send a pipeline of their own, or a bare stage,
// may run every stage there is, with any input.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"

namespace fermata::frontend {

enum class Permission : uint8_t {
  kNone,     // nobody has it: what a method without a rule asks for
  kSubmit,   // submit, and run: submit and read that job's result
  kRead,     // get, list, wait, watch
  kCancel,   // stop a job
  kDelete,   // forget a finished job
  kCatalog,  // which pipelines and plugins there are; not of any queue
  kAdmin,    // change the server itself; not of any queue
};

inline constexpr size_t kPermissions = 7;
inline constexpr std::array<const char*, kPermissions> kPermissionNames = {
    "none", "submit", "read", "cancel", "delete", "catalog", "admin"};

inline const char* permission_name(Permission permission) {
  return kPermissionNames[static_cast<size_t>(permission)];
}

// `*` in `pattern` is any run of characters, all else is itself. Linear in both.
bool glob_matches(std::string_view pattern, std::string_view text);

struct Grant {
  std::array<bool, kPermissions> allow{};
  std::vector<std::string> queues;     // globs; of permissions that have a queue
  std::vector<std::string> pipelines;  // globs, of kSubmit; empty: anything, inline and bare too
  bool operator==(const Grant&) const = default;
};

// Somebody who calls: a team, a service, a person. Constant once made.
struct Principal {
  std::string name;
  std::string credential;  // for the audit: "token 4f2a..." or "certificate spiffe://..."
  std::string sha256;      // of a token; hex
  absl::Time expires = absl::InfiniteFuture();
  std::vector<Grant> grants;
  bool operator==(const Principal&) const = default;

  // On any queue at all.
  bool may(Permission permission) const;
  bool may(Permission permission, std::string_view queue) const;
  // On every queue, whatever its name will be.
  bool may_everywhere(Permission permission) const;
  // `pipeline` is empty for inline pipelines and bare stages.
  bool may_submit(std::string_view queue, std::string_view pipeline) const;
};

}  // namespace fermata::frontend
