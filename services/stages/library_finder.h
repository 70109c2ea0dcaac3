// LibraryFinder: would the dynamic loader find this library? Asked before dlopen, which names only
// the missing library and not who needs it, and which runs the constructors of everything it does
// find.
//
// Looks where glibc looks: the run path, LD_LIBRARY_PATH, /etc/ld.so.cache, the standard
// directories. Any thread.
#ifndef SERVICES_STAGES_LIBRARY_FINDER_H_
#define SERVICES_STAGES_LIBRARY_FINDER_H_

#include <set>
#include <string>
#include <string_view>

namespace fermata {

class LibraryFinder {
 public:
  // Reads the cache; an unreadable or unknown one counts as empty.
  explicit LibraryFinder(const std::string& cache_file = "/etc/ld.so.cache");

  // `run_path` is the file's DT_RUNPATH; $ORIGIN in it means `origin`.
  bool finds(std::string_view library, std::string_view run_path, std::string_view origin) const;

 private:
  std::set<std::string, std::less<>> cached_;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_LIBRARY_FINDER_H_
