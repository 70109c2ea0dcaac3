#include "tests/store/testing/fault_file.h"

#include <algorithm>

namespace fermata {

void FaultFile::apply(std::string& to, const Change& change, size_t from, size_t size) {
  if (change.truncates) {
    to.resize(change.offset);
    return;
  }
  const size_t end = change.offset + from + size;
  if (to.size() < end) to.resize(end);
  to.replace(change.offset + from, size, change.bytes, from, size);
}

void FaultFile::write(size_t offset, std::string_view bytes) {
  unsynced_.push_back(Change{offset, std::string(bytes), false});
  apply(written_, unsynced_.back(), 0, bytes.size());
}

void FaultFile::truncate(size_t size) {
  unsynced_.push_back(Change{size, std::string(), true});
  written_.resize(size);
}

void FaultFile::sync() {
  for (const Change& change : unsynced_) apply(durable_, change, 0, change.bytes.size());
  unsynced_.clear();
}

void FaultFile::lose_power(const Random& random) {
  for (const Change& change : unsynced_) {
    const uint64_t fate = random(3);
    if (fate == 0) continue;
    if (fate == 1 || change.truncates) {
      apply(durable_, change, 0, change.bytes.size());
      continue;
    }
    for (size_t from = 0; from < change.bytes.size(); from += kSector) {
      if (random(2) == 0) continue;
      apply(durable_, change, from, std::min(kSector, change.bytes.size() - from));
    }
  }
  unsynced_.clear();
  written_ = durable_;
}

}  // namespace fermata
