#include "tests/store/testing/fault_vfs.h"

#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

#include "tests/store/testing/fault_locks.h"

namespace fermata {
namespace {

constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();
constexpr int kDiskSectorBytes = 4096;

}  // namespace

// What SQLite calls; each function is one entry of its tables.
struct FaultVfs {
  struct Handle : sqlite3_file {
    FaultDisk* disk;
    std::shared_ptr<FaultFile> file;
    FaultLocks locks;
    bool deletes = false;
    std::string path;
  };

  static Handle& of(sqlite3_file* file) { return *static_cast<Handle*>(file); }
  static FaultDisk& of(sqlite3_vfs* vfs) { return *static_cast<FaultDisk*>(vfs->pAppData); }

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* out, int flags, int* got) {
    FaultDisk& disk = of(vfs);
    const std::lock_guard<std::mutex> lock(disk.mutex_);
    out->pMethods = nullptr;
    if (disk.crashed_) return SQLITE_CANTOPEN;
    std::shared_ptr<FaultFile> file = std::make_shared<FaultFile>();
    if (name != nullptr) {
      const auto found = disk.files_.find(name);
      if (found == disk.files_.end() && (flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
      if (found != disk.files_.end()) file = found->second;
      disk.files_[name] = file;
    }
    Handle* handle = new (out) Handle();
    handle->disk = &disk;
    handle->file = std::move(file);
    handle->path = name == nullptr ? "" : name;
    handle->deletes = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
    handle->pMethods = methods();
    handle->locks.enter(*handle->file);
    if (got != nullptr) *got = flags;
    return SQLITE_OK;
  }
  static int close(sqlite3_file* file) {
    Handle& handle = of(file);
    const std::lock_guard<std::mutex> lock(handle.disk->mutex_);
    handle.locks.leave(*handle.file);
    if (handle.deletes) handle.disk->files_.erase(handle.path);
    handle.~Handle();
    return SQLITE_OK;
  }
  static int read(sqlite3_file* file, void* to, int size, sqlite3_int64 offset) {
    Handle& handle = of(file);
    const std::lock_guard<std::mutex> lock(handle.disk->mutex_);
    if (handle.disk->crashed_ || handle.disk->fail_reads_) return SQLITE_IOERR_READ;
    const std::string& bytes = handle.file->written();
    const size_t from = std::min(static_cast<size_t>(offset), bytes.size());
    const size_t there = std::min(static_cast<size_t>(size), bytes.size() - from);
    std::memcpy(to, bytes.data() + from, there);
    if (there == static_cast<size_t>(size)) return SQLITE_OK;
    std::memset(static_cast<char*>(to) + there, 0, static_cast<size_t>(size) - there);
    return SQLITE_IOERR_SHORT_READ;
  }
  static int write(sqlite3_file* file, const void* from, int size, sqlite3_int64 offset) {
    Handle& handle = of(file);
    const std::lock_guard<std::mutex> lock(handle.disk->mutex_);
    const uint64_t end = static_cast<uint64_t>(offset) + static_cast<uint64_t>(size);
    const uint64_t was = handle.file->written().size();
    const int admitted = handle.disk->admit_change(end > was ? end - was : 0);
    if (admitted != SQLITE_OK) return admitted;
    if (handle.disk->fail_writes_) return SQLITE_IOERR_WRITE;
    handle.file->write(static_cast<size_t>(offset),
                       {static_cast<const char*>(from), static_cast<size_t>(size)});
    return SQLITE_OK;
  }
  static int truncate(sqlite3_file* file, sqlite3_int64 size) {
    Handle& handle = of(file);
    const std::lock_guard<std::mutex> lock(handle.disk->mutex_);
    const int admitted = handle.disk->admit_change(0);
    if (admitted != SQLITE_OK) return admitted;
    if (handle.disk->fail_writes_) return SQLITE_IOERR_TRUNCATE;
    handle.file->truncate(static_cast<size_t>(size));
    return SQLITE_OK;
  }
  static int sync(sqlite3_file* file, int) {
    Handle& handle = of(file);
    FaultDisk& disk = *handle.disk;
    const std::lock_guard<std::mutex> lock(disk.mutex_);
    const int admitted = disk.admit_change(0);
    if (admitted != SQLITE_OK) return admitted;
    if (disk.fail_syncs_) return SQLITE_IOERR_FSYNC;
    ++disk.syncs_;
    if (!disk.lie_) handle.file->sync();
    return SQLITE_OK;
  }
  static int file_size(sqlite3_file* file, sqlite3_int64* size) {
    Handle& handle = of(file);
    const std::lock_guard<std::mutex> lock(handle.disk->mutex_);
    *size = static_cast<sqlite3_int64>(handle.file->written().size());
    return SQLITE_OK;
  }
  static int lock(sqlite3_file* file, int level) {
    const std::lock_guard<std::mutex> guard(of(file).disk->mutex_);
    return of(file).locks.lock(*of(file).file, level);
  }
  static int unlock(sqlite3_file* file, int level) {
    const std::lock_guard<std::mutex> guard(of(file).disk->mutex_);
    return of(file).locks.unlock(level);
  }
  static int check_reserved(sqlite3_file* file, int* reserved) {
    const std::lock_guard<std::mutex> guard(of(file).disk->mutex_);
    *reserved = of(file).locks.others_at_least(*of(file).file, SQLITE_LOCK_RESERVED);
    return SQLITE_OK;
  }
  static int control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
  static int sector_size(sqlite3_file*) { return kDiskSectorBytes; }
  static int characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

  static int shm_map(sqlite3_file* file, int region, int size, int extend, void volatile** out) {
    Handle& handle = of(file);
    const std::lock_guard<std::mutex> lock(handle.disk->mutex_);
    std::vector<std::unique_ptr<char[]>>& shared = handle.file->shared;
    *out = nullptr;
    if (static_cast<size_t>(region) >= shared.size() && extend == 0) return SQLITE_OK;
    while (shared.size() <= static_cast<size_t>(region)) {
      shared.push_back(std::make_unique<char[]>(static_cast<size_t>(size)));
    }
    *out = shared[static_cast<size_t>(region)].get();
    return SQLITE_OK;
  }
  static int shm_lock(sqlite3_file* file, int from, int count, int flags) {
    const std::lock_guard<std::mutex> guard(of(file).disk->mutex_);
    return of(file).locks.shm_lock(*of(file).file, from, count, flags);
  }
  static void shm_barrier(sqlite3_file* file) {
    const std::lock_guard<std::mutex> guard(of(file).disk->mutex_);
  }
  static int shm_unmap(sqlite3_file* file, int deletes) {
    Handle& handle = of(file);
    const std::lock_guard<std::mutex> lock(handle.disk->mutex_);
    handle.locks.shm_leave();
    if (deletes != 0) handle.file->shared.clear();
    return SQLITE_OK;
  }

  static int remove(sqlite3_vfs* vfs, const char* name, int) {
    FaultDisk& disk = of(vfs);
    const std::lock_guard<std::mutex> lock(disk.mutex_);
    const int admitted = disk.admit_change(0);
    if (admitted != SQLITE_OK) return admitted;
    return disk.files_.erase(name) == 1 ? SQLITE_OK : SQLITE_IOERR_DELETE_NOENT;
  }
  static int access(sqlite3_vfs* vfs, const char* name, int, int* out) {
    FaultDisk& disk = of(vfs);
    const std::lock_guard<std::mutex> lock(disk.mutex_);
    *out = disk.files_.count(name) == 1;
    return SQLITE_OK;
  }
  static int full_path(sqlite3_vfs*, const char* name, int size, char* out) {
    sqlite3_snprintf(size, out, "%s", name);
    return SQLITE_OK;
  }
  static int randomness(sqlite3_vfs* vfs, int size, char* out) {
    FaultDisk& disk = of(vfs);
    const std::lock_guard<std::mutex> lock(disk.mutex_);
    for (int i = 0; i < size; ++i) out[i] = static_cast<char>(disk.random(256));
    return size;
  }
  static int sleep(sqlite3_vfs*, int us) { return us; }
  static int current_time(sqlite3_vfs*, double* day) {
    *day = 2460000.5;
    return SQLITE_OK;
  }
  static int last_error(sqlite3_vfs*, int, char*) { return 0; }

  static const sqlite3_io_methods* methods() {
    static const sqlite3_io_methods kMethods = [] {
      sqlite3_io_methods m = {};
      m.iVersion = 2;
      m.xClose = &close;
      m.xRead = &read;
      m.xWrite = &write;
      m.xTruncate = &truncate;
      m.xSync = &sync;
      m.xFileSize = &file_size;
      m.xLock = &lock;
      m.xUnlock = &unlock;
      m.xCheckReservedLock = &check_reserved;
      m.xFileControl = &control;
      m.xSectorSize = &sector_size;
      m.xDeviceCharacteristics = &characteristics;
      m.xShmMap = &shm_map;
      m.xShmLock = &shm_lock;
      m.xShmBarrier = &shm_barrier;
      m.xShmUnmap = &shm_unmap;
      return m;
    }();
    return &kMethods;
  }
};

struct FaultDisk::Registration {
  explicit Registration(FaultDisk& disk) {
    static std::atomic<int> count{0};
    name = "fault" + std::to_string(++count);
    vfs.iVersion = 1;
    vfs.szOsFile = sizeof(FaultVfs::Handle);
    vfs.mxPathname = 512;
    vfs.zName = name.c_str();
    vfs.pAppData = &disk;
    vfs.xOpen = &FaultVfs::open;
    vfs.xDelete = &FaultVfs::remove;
    vfs.xAccess = &FaultVfs::access;
    vfs.xFullPathname = &FaultVfs::full_path;
    vfs.xRandomness = &FaultVfs::randomness;
    vfs.xSleep = &FaultVfs::sleep;
    vfs.xCurrentTime = &FaultVfs::current_time;
    vfs.xGetLastError = &FaultVfs::last_error;
    sqlite3_vfs_register(&vfs, 0);
  }
  ~Registration() { sqlite3_vfs_unregister(&vfs); }
  std::string name;
  sqlite3_vfs vfs = {};
};

FaultDisk::FaultDisk(uint64_t seed) : random_state_(seed), crash_at_(kNever), capacity_(kNever) {
  registration_ = std::make_unique<Registration>(*this);
}
FaultDisk::~FaultDisk() = default;

const char* FaultDisk::vfs() const { return registration_->name.c_str(); }

int FaultDisk::admit_change(uint64_t growth) {
  if (crashed_ || operations_ >= crash_at_) {
    crashed_ = true;
    return SQLITE_IOERR;
  }
  ++operations_;
  if (growth > 0 && bytes_locked() + growth > capacity_) return SQLITE_FULL;
  return SQLITE_OK;
}

void FaultDisk::restart(Crash crash) {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (auto& [path, file] : files_) {
    file->shared.clear();
    if (crash == Crash::kPower) {
      file->lose_power([this](uint64_t below) { return random(below); });
    } else {
      file->lose_process();
    }
  }
  crashed_ = false;
  crash_at_ = kNever;
}

uint64_t FaultDisk::random(uint64_t below) {
  uint64_t z = (random_state_ += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return (z ^ (z >> 31)) % below;
}

uint64_t FaultDisk::bytes_locked() const {
  uint64_t all = 0;
  for (const auto& [path, file] : files_) all += file->written().size();
  return all;
}

#define FERMATA_LOCKED const std::lock_guard<std::mutex> lock(mutex_)
// Small setters and getters, each under the disk's lock.
uint64_t FaultDisk::operations() const {
  FERMATA_LOCKED;
  return operations_;
}
uint64_t FaultDisk::syncs() const {
  FERMATA_LOCKED;
  return syncs_;
}
uint64_t FaultDisk::bytes() const {
  FERMATA_LOCKED;
  return bytes_locked();
}
bool FaultDisk::crashed() const {
  FERMATA_LOCKED;
  return crashed_;
}
void FaultDisk::crash_at(uint64_t operation) {
  FERMATA_LOCKED;
  crash_at_ = operation;
}
void FaultDisk::set_capacity(uint64_t bytes) {
  FERMATA_LOCKED;
  capacity_ = bytes;
}
void FaultDisk::fail_writes(bool on) {
  FERMATA_LOCKED;
  fail_writes_ = on;
}
void FaultDisk::fail_reads(bool on) {
  FERMATA_LOCKED;
  fail_reads_ = on;
}
void FaultDisk::fail_syncs(bool on) {
  FERMATA_LOCKED;
  fail_syncs_ = on;
}
void FaultDisk::lie_about_syncs(bool on) {
  FERMATA_LOCKED;
  lie_ = on;
}
#undef FERMATA_LOCKED

std::string& FaultDisk::content(const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::shared_ptr<FaultFile>& file = files_[path];
  if (file == nullptr) file = std::make_shared<FaultFile>();
  return file->written();
}

}  // namespace fermata
