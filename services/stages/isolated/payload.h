// Payload: the fields of a frame, one after another, without names or tags. What is written with
// put_*() is read with the same get_*() in the same order.
//
// Reading never goes beyond the bytes and never throws: after the first field that is not there
// every get gives an empty value and done() is false. So a message is read to its end and judged
// once. Any thread.
#ifndef SERVICES_STAGES_ISOLATED_PAYLOAD_H_
#define SERVICES_STAGES_ISOLATED_PAYLOAD_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace fermata {

class PayloadWriter {
 public:
  template <class T>
  PayloadWriter& put(T value) {
    static_assert(std::is_arithmetic_v<T>);
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  PayloadWriter& text(std::string_view text) {
    put(static_cast<uint32_t>(text.size()));
    out_.append(text);
    return *this;
  }
  // The last field: everything up to the end.
  PayloadWriter& rest(std::string_view bytes) {
    out_.append(bytes);
    return *this;
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

class PayloadReader {
 public:
  explicit PayloadReader(std::string_view bytes) : bytes_(bytes) {}

  template <class T>
  T get() {
    static_assert(std::is_arithmetic_v<T> && !std::is_same_v<T, bool>);
    T value{};
    if (!has(sizeof value)) return value;
    std::memcpy(&value, bytes_.data(), sizeof value);
    bytes_.remove_prefix(sizeof value);
    return value;
  }
  // Borrowed from the bytes. More than `max` bytes is a fault too.
  std::string_view text(size_t max) {
    const size_t size = get<uint32_t>();
    if (size > max) ok_ = false;
    if (!has(size)) return {};
    const std::string_view text = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return text;
  }
  std::string_view rest() { return ok_ ? std::exchange(bytes_, {}) : std::string_view(); }

  bool ok() const { return ok_; }
  // Everything was there, and nothing is left.
  bool done() const { return ok_ && bytes_.empty(); }

 private:
  bool has(size_t bytes) {
    if (bytes_.size() < bytes) ok_ = false;
    return ok_;
  }
  std::string_view bytes_;
  bool ok_ = true;
};

}  // namespace fermata

#endif  // SERVICES_STAGES_ISOLATED_PAYLOAD_H_
