#include "services/stages/current_call.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace fermata {
namespace {

CurrentCall* shared_slots = nullptr;
uint32_t shared_count = 0;
std::atomic<uint32_t> shared_taken{0};

// Never destroyed: a signal handler may read a name while the process ends.
struct Names {
  std::mutex mutex;
  std::map<std::string, const char*, std::less<>> known;
  char* memory = nullptr;
  size_t left = 0;
};
Names& names() {
  static Names* const all = new Names;
  return *all;
}

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

void CurrentCall::use_names(char* memory, size_t bytes) {
  Names& all = names();
  const std::lock_guard<std::mutex> lock(all.mutex);
  all.memory = memory;
  all.left = bytes;
}

const char* CurrentCall::name(std::string_view text) {
  Names& all = names();
  const std::lock_guard<std::mutex> lock(all.mutex);
  const auto [entry, fresh] = all.known.try_emplace(std::string(text), nullptr);
  if (!fresh) return entry->second;
  entry->second = entry->first.c_str();  // a map's keys do not move
  if (text.size() < all.left) {
    entry->second = all.memory;
    *std::copy(text.begin(), text.end(), all.memory) = '\0';
    all.memory += text.size() + 1;
    all.left -= text.size() + 1;
  }
  return entry->second;
}

}  // namespace fermata
