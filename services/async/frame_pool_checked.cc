// The frame pool of checked builds: a freed block is filled with a pattern and kept back, and the
// pattern is looked at before the memory is used again. So whoever reads a dead frame reads
// 0xDBDBDB…, and whoever writes to one is found, also where no sanitizer runs.
#include <cstdlib>
#include <cstring>
#include <deque>

#include "services/async/check.h"
#include "services/async/frame_pool.h"

namespace fermata {
namespace {

constexpr unsigned char kFresh = 0xCB;
constexpr unsigned char kDead = 0xDB;
constexpr std::size_t kQuarantineBytes = 4 * 1024 * 1024;

struct DeadBlock {
  unsigned char* memory;
  std::size_t bytes;
};

void release(const DeadBlock& block) noexcept {
  for (std::size_t i = 0; i < block.bytes; ++i) {
    FERMATA_CHECK(block.memory[i] == kDead, "a coroutine frame was written to after it was freed");
  }
  std::free(block.memory);
}

struct Quarantine {
  ~Quarantine() {
    for (const DeadBlock& block : blocks) release(block);
  }
  std::deque<DeadBlock> blocks;
  std::size_t bytes = 0;
};
thread_local Quarantine quarantine;
constinit thread_local FramePoolStats stats;

}  // namespace

FramePoolStats frame_pool_stats() noexcept { return stats; }

}  // namespace fermata

extern "C" {

[[gnu::noinline]] void* fermata_frame_alloc(std::size_t bytes) noexcept {
  ++fermata::stats.live;
  ++fermata::stats.allocated;
  void* block = std::malloc(bytes);
  FERMATA_CHECK(block != nullptr, "out of memory for a coroutine frame");
  return std::memset(block, fermata::kFresh, bytes);
}

[[gnu::noinline]] void fermata_frame_free(void* memory, std::size_t bytes) noexcept {
  --fermata::stats.live;
  fermata::Quarantine& quarantine = fermata::quarantine;
  std::memset(memory, fermata::kDead, bytes);
  quarantine.blocks.push_back({static_cast<unsigned char*>(memory), bytes});
  quarantine.bytes += bytes;
  while (quarantine.bytes > fermata::kQuarantineBytes) {
    fermata::release(quarantine.blocks.front());
    quarantine.bytes -= quarantine.blocks.front().bytes;
    quarantine.blocks.pop_front();
  }
}

}  // extern "C"
