// The values that a scope's frames see: an immutable list, shared by reference count.
//
// A scope that is started takes the list of the scope that starts it, one increment; a ContextVar
// that is set puts a node in front, for that scope alone. So what a task sets is seen by the tasks
// it spawns afterwards, and never by the one that spawned it. Python's contextvars, by the same
// trick (PEP 567: a copy is O(1)). Counted without atomics, on one loop.
#ifndef SERVICES_ASYNC_CONTEXT_H_
#define SERVICES_ASYNC_CONTEXT_H_

#include <cstdint>
#include <utility>

namespace fermata {

class ContextNode;

// A counted pointer to the newest node; empty for the usual task, that inherits nothing.
class ContextRef {
 public:
  ContextRef() noexcept = default;
  explicit ContextRef(ContextNode* node) noexcept : node_(node) {}  // takes the reference over
  inline ContextRef(const ContextRef& other) noexcept;
  ContextRef(ContextRef&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  ContextRef& operator=(ContextRef other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  inline ~ContextRef();
  ContextNode* get() const noexcept { return node_; }

 private:
  ContextNode* node_ = nullptr;
};

class ContextNode {
 public:
  ContextNode(const void* variable, ContextRef next) noexcept
      : variable_(variable), next_(std::move(next)) {}
  ContextNode(const ContextNode&) = delete;

  const void* variable() const noexcept { return variable_; }
  const ContextRef& next() const noexcept { return next_; }

 protected:
  virtual ~ContextNode() = default;

 private:
  friend class ContextRef;
  std::uint32_t references_ = 1;
  const void* variable_;
  ContextRef next_;
};

inline ContextRef::ContextRef(const ContextRef& other) noexcept : node_(other.node_) {
  if (node_ != nullptr) ++node_->references_;
}

inline ContextRef::~ContextRef() {
  if (node_ != nullptr && --node_->references_ == 0) delete node_;
}

}  // namespace fermata

#endif  // SERVICES_ASYNC_CONTEXT_H_
