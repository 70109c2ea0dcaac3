// What a plugin may not change behind the server's back, counted before and after.
#ifndef SERVICES_PLUGIN_KIT_PROCESS_FACTS_H_
#define SERVICES_PLUGIN_KIT_PROCESS_FACTS_H_

#include <cstddef>
#include <string>
#include <vector>

namespace fermata::kit {

struct ProcessFacts {
  size_t threads = 0;
  size_t descriptors = 0;
  size_t resident_bytes = 0;
  std::vector<bool> handlers;  // by signal: not the default, not ignored
  std::string locale, folder, environment;
  unsigned mask = 0;

  static ProcessFacts now();
  // "started 2 threads", "changed the locale from C to de_DE"; empty when nothing changed.
  // Memory is not compared.
  std::vector<std::string> changes_since(const ProcessFacts& before) const;
};

}  // namespace fermata::kit

#endif  // SERVICES_PLUGIN_KIT_PROCESS_FACTS_H_
