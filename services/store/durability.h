// Durability: when a commit of a queue's job answers. Chosen per queue, in fermata.yaml.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace fermata {

enum class Durability : uint8_t {
  kDurable,  // after the disk has said that it is written
  kRelaxed,  // at once; a crash may lose the last moments, see UnwrittenRecords
  kMemory,   // at once, and nothing outlives the process
};

struct QueueDurability {
  Durability otherwise = Durability::kDurable;
  std::map<std::string, Durability, std::less<>> queues;

  Durability of(std::string_view queue) const {
    const auto found = queues.find(queue);
    return found == queues.end() ? otherwise : found->second;
  }
};

}  // namespace fermata
