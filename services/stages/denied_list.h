// DeniedList: plugin files, by their bytes, that were rolled back and must not come back by
// themselves: not from the folder, not after a restart. `fermata plugin allow` takes one off.
//
// Kept in a text file, one line each: sha256, plugin id, version, why. A value; load() and save()
// block and belong on a worker thread.
#ifndef SERVICES_STAGES_DENIED_LIST_H_
#define SERVICES_STAGES_DENIED_LIST_H_

#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace fermata {

class DeniedList {
 public:
  // Beyond, the one with the lowest hash is forgotten.
  static constexpr size_t kMax = 1000;
  struct Entry {
    std::string id;
    std::string version;
    std::string why;
  };

  // No such file: an empty list. INVALID_ARGUMENT names the line.
  static absl::StatusOr<DeniedList> load(std::string path);
  // Replaces the file as a whole.
  static absl::Status save(std::string path, DeniedList list);

  // Null: not denied.
  const Entry* find(std::string_view sha256) const;
  void add(std::string sha256, Entry entry);
  // False: it was not on the list.
  bool remove(std::string_view sha256);
  size_t size() const { return entries_.size(); }

 private:
  std::map<std::string, Entry, std::less<>> entries_;  // by sha256
};

}  // namespace fermata

#endif  // SERVICES_STAGES_DENIED_LIST_H_
