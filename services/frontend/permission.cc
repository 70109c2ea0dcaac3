#include "services/frontend/permission.h"

#include <algorithm>

namespace fermata::frontend {
namespace {

bool any_matches(const std::vector<std::string>& patterns, std::string_view text) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [text](const std::string& pattern) { return glob_matches(pattern, text); });
}

bool allows(const Grant& grant, Permission permission) {
  return permission != Permission::kNone && grant.allow[static_cast<size_t>(permission)];
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view text) {
  // Where to go on after a mismatch: behind the last star, which then takes one more character.
  size_t star = std::string_view::npos;
  size_t taken = 0;
  size_t p = 0;
  size_t t = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++taken;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool Principal::may(Permission permission) const {
  return std::any_of(grants.begin(), grants.end(),
                     [permission](const Grant& grant) { return allows(grant, permission); });
}

bool Principal::may(Permission permission, std::string_view queue) const {
  return std::any_of(grants.begin(), grants.end(), [&](const Grant& grant) {
    return allows(grant, permission) && any_matches(grant.queues, queue);
  });
}

bool Principal::may_everywhere(Permission permission) const {
  return std::any_of(grants.begin(), grants.end(), [permission](const Grant& grant) {
    return allows(grant, permission) &&
           std::find(grant.queues.begin(), grant.queues.end(), "*") != grant.queues.end();
  });
}

bool Principal::may_submit(std::string_view queue, std::string_view pipeline) const {
  return std::any_of(grants.begin(), grants.end(), [&](const Grant& grant) {
    if (!allows(grant, Permission::kSubmit) || !any_matches(grant.queues, queue)) return false;
    return grant.pipelines.empty() || (!pipeline.empty() && any_matches(grant.pipelines, pipeline));
  });
}

}  // namespace fermata::frontend
