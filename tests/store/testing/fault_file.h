// FaultFile: one file of a FaultDisk, and what of it would survive a power loss.
//
//   written    durable + every unsynced change, in order: what the running process reads
//   durable    as of the last sync that told the truth
//   unsynced   changes since; at a power loss each survives whole, in sectors, or not at all,
//              whatever became of the ones before it: disks reorder
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fermata {

class FaultFile {
 public:
  static constexpr size_t kSector = 512;

  std::string& written() { return written_; }
  const std::string& written() const { return written_; }
  void write(size_t offset, std::string_view bytes);
  void truncate(size_t size);
  void sync();

  // `random(n)` gives a number below n.
  using Random = std::function<uint64_t(uint64_t below)>;
  void lose_power(const Random& random);
  // Only the process died: the kernel still has everything.
  void lose_process() { sync(); }

  // SQLite's locks and shared memory, among the connections of this process.
  std::vector<void*> holders;
  std::vector<std::unique_ptr<char[]>> shared;

 private:
  struct Change {
    size_t offset;
    std::string bytes;
    bool truncates;
  };
  static void apply(std::string& to, const Change& change, size_t from, size_t size);

  std::string written_;
  std::string durable_;
  std::vector<Change> unsynced_;
};

}  // namespace fermata
