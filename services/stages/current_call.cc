#include "services/stages/current_call.h"

namespace fermata {
namespace {

CurrentCall* shared_slots = nullptr;
uint32_t shared_count = 0;
std::atomic<uint32_t> shared_taken{0};

}  // namespace

thread_local constinit CurrentCall* CurrentCall::slot_ = nullptr;

void CurrentCall::use_slots(CurrentCall* slots, uint32_t count) noexcept {
  shared_slots = slots;
  shared_count = count;
}

CurrentCall& CurrentCall::first_use() noexcept {
  static thread_local constinit CurrentCall own{};
  slot_ = &own;
  if (shared_slots != nullptr) {
    const uint32_t mine = shared_taken.fetch_add(1, std::memory_order_relaxed);
    if (mine < shared_count) slot_ = &shared_slots[mine];
  }
  return *slot_;
}

}  // namespace fermata
