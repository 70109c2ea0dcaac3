#include "services/fermatad/stores.h"

#include <algorithm>
#include <utility>

#include "services/store/memory_store.h"
#include "services/store/routed_store.h"
#include "services/store/sqlite/sqlite_store.h"

namespace fermata {
namespace {

Retention retention_of(const Config& config) {
  Retention out;
  out.jobs = static_cast<size_t>(config.retention.jobs);
  out.bytes = config.retention.bytes;
  out.age = config.retention.age;
  return out;
}

Durability durability_of(DurabilityChoice choice) {
  if (choice == DurabilityChoice::kRelaxed) return Durability::kRelaxed;
  if (choice == DurabilityChoice::kMemory) return Durability::kMemory;
  return Durability::kDurable;
}

QueueDurability durabilities_of(const Config& config) {
  QueueDurability out;
  out.otherwise = durability_of(config.store.durability);
  for (const auto& [name, queue] : config.queues) {
    out.queues[name] = durability_of(queue.durability);
  }
  return out;
}

bool some_in_memory(const QueueDurability& durability) {
  return durability.otherwise == Durability::kMemory ||
         std::any_of(durability.queues.begin(), durability.queues.end(),
                     [](const auto& queue) { return queue.second == Durability::kMemory; });
}

}  // namespace

absl::StatusOr<std::unique_ptr<Stores>> Stores::open(Loop& loop, const Clock& clock,
                                                     const Config& config) {
  std::unique_ptr<Stores> stores(new Stores());
  const QueueDurability durability = durabilities_of(config);
  if (config.store.directory.empty() || some_in_memory(durability)) {
    stores->memory_ = std::make_unique<MemoryStore>(clock, retention_of(config));
    stores->top_ = stores->memory_.get();
  }
  if (config.store.directory.empty()) return stores;
  SqliteOptions options;
  options.directory = config.store.directory;
  options.retention = retention_of(config);
  options.durability = durability;
  options.bytes_max = config.store.bytes;
  absl::StatusOr<std::unique_ptr<SqliteStore>> lasting = SqliteStore::open(loop, clock, options);
  if (!lasting.ok()) return lasting.status();
  stores->lasting_ = *std::move(lasting);
  stores->top_ = stores->lasting_.get();
  if (stores->memory_ == nullptr) return stores;
  stores->routed_ = std::make_unique<RoutedStore>(*stores->lasting_, *stores->memory_, durability);
  stores->top_ = stores->routed_.get();
  return stores;
}

}  // namespace fermata
