#include "tests/store/testing/fault_locks.h"

#include <sqlite3.h>

#include <algorithm>

namespace fermata {

void FaultLocks::enter(FaultFile& file) { file.holders.push_back(this); }

void FaultLocks::leave(FaultFile& file) {
  file.holders.erase(std::find(file.holders.begin(), file.holders.end(), this));
}

bool FaultLocks::others_at_least(const FaultFile& file, int level) const {
  return std::any_of(file.holders.begin(), file.holders.end(), [this, level](void* holder) {
    return holder != this && static_cast<FaultLocks*>(holder)->level_ >= level;
  });
}

int FaultLocks::lock(const FaultFile& file, int level) {
  if (level <= level_) return SQLITE_OK;
  if (level == SQLITE_LOCK_SHARED) {
    if (others_at_least(file, SQLITE_LOCK_PENDING)) return SQLITE_BUSY;
  } else if (others_at_least(file, SQLITE_LOCK_RESERVED)) {
    return SQLITE_BUSY;
  }
  if (level == SQLITE_LOCK_EXCLUSIVE && others_at_least(file, SQLITE_LOCK_SHARED)) {
    level_ = SQLITE_LOCK_PENDING;
    return SQLITE_BUSY;
  }
  level_ = level;
  return SQLITE_OK;
}

int FaultLocks::unlock(int level) {
  level_ = std::min(level_, level);
  return SQLITE_OK;
}

int FaultLocks::shm_lock(const FaultFile& file, int from, int count, int flags) {
  const uint32_t slots = ((uint32_t{1} << count) - 1) << from;
  const bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
  uint32_t& mine = exclusive ? exclusive_slots_ : shared_slots_;
  if ((flags & SQLITE_SHM_UNLOCK) != 0) {
    mine &= ~slots;
    return SQLITE_OK;
  }
  for (void* holder : file.holders) {
    if (holder == this) continue;
    const FaultLocks& other = *static_cast<FaultLocks*>(holder);
    const uint32_t taken = other.exclusive_slots_ | (exclusive ? other.shared_slots_ : 0);
    if ((taken & slots) != 0) return SQLITE_BUSY;
  }
  mine |= slots;
  return SQLITE_OK;
}

}  // namespace fermata
