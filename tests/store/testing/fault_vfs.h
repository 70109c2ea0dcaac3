// FaultDisk: a disk in memory under SQLite, that can be full, broken, lying, or without power.
//
//   FaultDisk disk(seed);
//   SqliteOptions options;  options.vfs = disk.vfs();  …          run something on it
//   disk.crash_at(disk.operations() + 17);                        the 17th change from now fails,
//                                                                 and everything after it
//   … the store fails; close it …
//   disk.restart(Crash::kPower);                                  what survived; open it again
//
// Counts each write, truncation, sync and deletion as one operation, so that a test can crash at
// every one of them in turn. Same seed, same operations: same disk. Files are created and deleted
// durably at once. Connections of one process; any thread. Close every connection before restart()
// and before it goes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "tests/store/testing/fault_file.h"

namespace fermata {

enum class Crash : uint8_t {
  kProcess,  // kill -9: what was written stays
  kPower,    // what was not synced may go, in whole or in part
};

class FaultDisk {
 public:
  explicit FaultDisk(uint64_t seed = 0);
  ~FaultDisk();
  FaultDisk(const FaultDisk&) = delete;

  // The name to open databases with.
  const char* vfs() const;

  uint64_t operations() const;
  // The change with this number does not happen, nor does anything after it, until restart().
  void crash_at(uint64_t operation);
  bool crashed() const;
  void restart(Crash crash);

  // While set: writes that make the files larger than this, all together, find no space.
  void set_capacity(uint64_t bytes);
  void fail_writes(bool on);
  void fail_reads(bool on);
  void fail_syncs(bool on);
  // Syncs answer that all is well, and do nothing.
  void lie_about_syncs(bool on);

  // What a file holds, to look at or to damage; empty when there is none. Not while it is used.
  std::string& content(const std::string& path);
  uint64_t bytes() const;
  uint64_t syncs() const;

 private:
  friend struct FaultVfs;
  struct Registration;

  // What the next change gets: SQLITE_OK, or why not. `growth`: bytes it adds. Locked.
  int admit_change(uint64_t growth);
  uint64_t random(uint64_t below);
  uint64_t bytes_locked() const;

  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<FaultFile>> files_;
  std::unique_ptr<Registration> registration_;
  uint64_t random_state_;
  uint64_t operations_ = 0;
  uint64_t syncs_ = 0;
  uint64_t crash_at_;
  uint64_t capacity_;
  bool crashed_ = false;
  bool fail_writes_ = false;
  bool fail_reads_ = false;
  bool fail_syncs_ = false;
  bool lie_ = false;
};

}  // namespace fermata
