// The reference count behind fermata_buf: a block of bytes, or a string taken over whole.
//
// The count is atomic, because the ABI lets plugins retain and release on any thread ([any]).
// Ordering: an increment needs none (who increments already holds a reference); the decrement
// releases this thread's reads and writes of the bytes, and the last one acquires them all before
// the memory is freed.
#ifndef SERVICES_STAGES_BUFFER_REF_H_
#define SERVICES_STAGES_BUFFER_REF_H_

#include <atomic>
#include <cstdint>
#include <string>

#include "plugins/abi/fermata_abi.h"

struct fermata_bufref {
  explicit fermata_bufref(bool is_string) : string(is_string) {}
  std::atomic<uint32_t> count{1};
  const bool string;  // a StringRef; otherwise the bytes follow this header
};

namespace fermata {

// Fresh, writable bytes. False, and no ref, when memory ran out.
bool allocate_bytes(size_t size, fermata_buf& out);
fermata_buf take_string(std::string&& bytes);
void destroy_ref(fermata_bufref* ref);

inline void retain_ref(fermata_bufref* ref) { ref->count.fetch_add(1, std::memory_order_relaxed); }
inline void release_ref(fermata_bufref* ref) {
  // A sole owner cannot race with anyone.
  if (ref->count.load(std::memory_order_acquire) == 1 ||
      ref->count.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    destroy_ref(ref);
  }
}

}  // namespace fermata

#endif  // SERVICES_STAGES_BUFFER_REF_H_
