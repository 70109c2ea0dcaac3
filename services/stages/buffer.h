// Buffer: immutable bytes with a reference count, shared between the engine and plugins without
// copying.
//
// It is the host side of the ABI's fermata_buf: what a stage emits becomes the engine's output, and
// what the engine hands in becomes the stage's input, without a copy of the bytes. Copies of a
// Buffer are cheap (one atomic increment: a plugin may release its reference on a worker thread).
// The bytes never change once shared.
#ifndef SERVICES_STAGES_BUFFER_H_
#define SERVICES_STAGES_BUFFER_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "plugins/abi/fermata_abi.h"

namespace fermata {

class Buffer {
 public:
  Buffer() = default;
  // Takes the string's bytes over.
  explicit Buffer(std::string&& bytes);
  static Buffer copy_of(std::string_view bytes);
  // Takes over the reference that `raw` holds.
  static Buffer adopt(const fermata_buf& raw) { return Buffer(raw); }
  // Adds a reference. Bytes without a count (ref == nullptr) are copied.
  static Buffer retain(const fermata_buf& raw);

  Buffer(const Buffer& other);
  Buffer(Buffer&& other) noexcept : raw_(std::exchange(other.raw_, fermata_buf{})) {}
  Buffer& operator=(Buffer other) noexcept {
    std::swap(raw_, other.raw_);
    return *this;
  }
  // Most that go were moved from.
  ~Buffer() {
    if (raw_.ref != nullptr) release();
  }

  std::string_view view() const { return {reinterpret_cast<const char*>(raw_.ptr), raw_.len}; }
  size_t size() const { return raw_.len; }
  bool empty() const { return raw_.len == 0; }
  // Borrowed: valid while this Buffer lives.
  const fermata_buf& raw() const { return raw_; }

 private:
  explicit Buffer(const fermata_buf& raw) : raw_(raw) {}
  void release() noexcept;

  fermata_buf raw_{};
};

}  // namespace fermata

#endif  // SERVICES_STAGES_BUFFER_H_
