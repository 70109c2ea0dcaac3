#include "services/plugin_kit/lab_buffers.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <utility>

#include "services/config/str_cat.h"

namespace fermata::kit {
namespace {

// Address space that released blocks may keep: enough to catch a late read, and no more.
constexpr size_t kMaxRetired = 2048;
constexpr size_t kMaxFaults = 100;
constexpr size_t kAlign = 16;  // what malloc() would give

size_t page_size() {
  static const size_t size = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  return size;
}

size_t round_up(size_t size, size_t to) { return (size + to - 1) / to * to; }

}  // namespace

struct LabBuffers::Block {
  LabBuffers* owner = nullptr;
  std::atomic<uint32_t> count{1};
  uint8_t* map = nullptr;
  size_t mapped = 0;  // with the guard page
  size_t size = 0;
};

LabBuffers::LabBuffers() = default;

LabBuffers::~LabBuffers() {
  for (const std::unique_ptr<Block>& block : blocks_) {
    if (block->map != nullptr) ::munmap(block->map, block->mapped);
  }
}

LabBuffers::Block& LabBuffers::block_of(fermata_bufref* ref) {
  return *reinterpret_cast<Block*>(ref);
}

fermata_buf LabBuffers::allocate(size_t size) {
  constexpr size_t kMaxSize = size_t{1} << 32;
  if (size > kMaxSize) return {nullptr, 0, nullptr};
  auto block = std::make_unique<Block>();
  const size_t inner = round_up(size == 0 ? 1 : size, page_size());
  block->owner = this;
  block->size = size;
  block->mapped = inner + page_size();
  void* map =
      ::mmap(nullptr, block->mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED) return {nullptr, 0, nullptr};
  block->map = static_cast<uint8_t*>(map);
  ::mprotect(block->map + inner, page_size(), PROT_NONE);
  uint8_t* bytes = block->map + inner - round_up(size == 0 ? 1 : size, kAlign);
  auto* ref = reinterpret_cast<fermata_bufref*>(block.get());
  const std::lock_guard<std::mutex> lock(mutex_);
  ++live_;
  blocks_.push_back(std::move(block));
  return {bytes, size, ref};
}

fermata_buf LabBuffers::make(std::string_view bytes) {
  const fermata_buf buf = allocate(bytes.size());
  if (buf.ref != nullptr && !bytes.empty()) std::memcpy(buf.ptr, bytes.data(), bytes.size());
  return buf;
}

void LabBuffers::retain(fermata_bufref* ref) {
  if (ref == nullptr) return;
  Block& block = block_of(ref);
  if (block.count.fetch_add(1, std::memory_order_relaxed) != 0) return;
  const std::lock_guard<std::mutex> lock(block.owner->mutex_);
  if (block.owner->faults_.size() < kMaxFaults) {
    block.owner->faults_.push_back("buf_retain() of a buffer whose last reference was released");
  }
}

void LabBuffers::release(fermata_bufref* ref) {
  if (ref == nullptr) return;
  Block& block = block_of(ref);
  const uint32_t before = block.count.fetch_sub(1, std::memory_order_acq_rel);
  if (before == 1) {
    block.owner->retire(block);
  } else if (before == 0) {
    block.count.store(0, std::memory_order_relaxed);
    const std::lock_guard<std::mutex> lock(block.owner->mutex_);
    if (block.owner->faults_.size() < kMaxFaults) {
      block.owner->faults_.push_back(str_cat("buf_release() of a buffer of ", block.size,
                                             " bytes that had no reference left"));
    }
  }
}

void LabBuffers::retire(Block& block) {
  const std::lock_guard<std::mutex> lock(mutex_);
  --live_;
  ::mprotect(block.map, block.mapped, PROT_NONE);
  retired_.push_back(&block);
  if (retired_.size() <= kMaxRetired) return;
  Block& oldest = *retired_.front();
  retired_.pop_front();
  ::munmap(std::exchange(oldest.map, nullptr), oldest.mapped);
}

void LabBuffers::seal(const fermata_buf& buf) {
  if (buf.ref == nullptr) return;
  const Block& block = block_of(buf.ref);
  ::mprotect(block.map, block.mapped - page_size(), PROT_READ);
}

size_t LabBuffers::live() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return live_;
}

std::vector<std::string> LabBuffers::take_faults() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(faults_, {});
}

}  // namespace fermata::kit
