// FaultLocks: what one connection holds of SQLite's two kinds of locks on a FaultFile.
//
// The five levels of a database file, and the eight slots that WAL readers and writers share. The
// others are found through FaultFile::holders. Under the disk's mutex.
#pragma once

#include <cstdint>

#include "tests/store/testing/fault_file.h"

namespace fermata {

class FaultLocks {
 public:
  void enter(FaultFile& file);
  void leave(FaultFile& file);

  // An SQLite result code each.
  int lock(const FaultFile& file, int level);
  int unlock(int level);
  bool others_at_least(const FaultFile& file, int level) const;

  int shm_lock(const FaultFile& file, int from, int count, int flags);
  void shm_leave() { shared_slots_ = exclusive_slots_ = 0; }

 private:
  int level_ = 0;
  uint32_t shared_slots_ = 0;
  uint32_t exclusive_slots_ = 0;
};

}  // namespace fermata
