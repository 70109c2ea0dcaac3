// LabBuffers: the laboratory's bytes, each block on pages of its own, so that the kernel notices
// what a plugin must not do.
//
//   allocated --- emit ---> sealed (read only) --- last release ---> unreadable
//
// Bytes end right before a page that cannot be touched, emitted bytes cannot be written any more,
// and released bytes cannot be read: each is a SIGSEGV in the plugin's own frame. The counts are
// for any thread; make(), seal() and live() are for the loop thread.
#ifndef SERVICES_PLUGIN_KIT_LAB_BUFFERS_H_
#define SERVICES_PLUGIN_KIT_LAB_BUFFERS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/abi/fermata_abi.h"

namespace fermata::kit {

class LabBuffers {
 public:
  LabBuffers();
  ~LabBuffers();
  LabBuffers(const LabBuffers&) = delete;
  LabBuffers& operator=(const LabBuffers&) = delete;

  // One reference, the caller's. `ref` is null when there is no memory.
  fermata_buf allocate(size_t size);
  fermata_buf make(std::string_view bytes);
  static void retain(fermata_bufref* ref);
  static void release(fermata_bufref* ref);
  // Nobody writes to it any more.
  void seal(const fermata_buf& buf);

  // Blocks that somebody still holds.
  size_t live() const;
  // What was done to the counts that must not be: "buf_release() of a buffer that ... ".
  std::vector<std::string> take_faults();

 private:
  struct Block;
  static Block& block_of(fermata_bufref* ref);
  void retire(Block& block);

  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Block>> blocks_;  // all that ever were: a stale handle stays readable
  std::deque<Block*> retired_;                  // unreadable, still mapped
  size_t live_ = 0;
  std::vector<std::string> faults_;
};

}  // namespace fermata::kit

#endif  // SERVICES_PLUGIN_KIT_LAB_BUFFERS_H_
