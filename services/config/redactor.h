#pragma once

// Takes secrets out of texts that leave the process: logs, refusals, what --check says.
//
// The last line of defence: nothing is meant to print a secret, but a plugin may, or a message that
// quotes the value it did not like, cut short. So a secret's beginning is enough to be found, and
// of a secret of several lines each line counts. Secrets below kMinSecret bytes are not looked
// for: they would be found everywhere. Immutable; any thread.

#include <string>
#include <string_view>
#include <vector>

namespace fermata {

class Redactor {
 public:
  static constexpr size_t kMinSecret = 6;

  Redactor() = default;
  explicit Redactor(const std::vector<std::string>& secrets);

  std::string redact(std::string text) const;

 private:
  std::vector<std::string> secrets_;  // the longest first
};

}  // namespace fermata
