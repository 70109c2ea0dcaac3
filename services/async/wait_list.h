// The queue of waiters under every lock, queue and event: intrusive, doubly linked, first come
// first served. Nodes sit in the awaiting frames, so waiting allocates nothing, and a frame that is
// destroyed while it waits leaves the list in its destructor. Trio calls this a parking lot.
#ifndef SERVICES_ASYNC_WAIT_LIST_H_
#define SERVICES_ASYNC_WAIT_LIST_H_

#include <cstddef>

#include "services/async/check.h"
#include "services/async/scope.h"

namespace fermata {

class WaitNode {
 public:
  WaitNode() noexcept = default;
  WaitNode(const WaitNode&) = delete;
  WaitNode& operator=(const WaitNode&) = delete;
  ~WaitNode() { unlink(); }

  bool linked() const noexcept { return next_ != nullptr; }
  void unlink() noexcept {
    if (!linked()) return;
    previous_->next_ = next_;
    next_->previous_ = previous_;
    next_ = nullptr;
  }

 private:
  template <class Waiter>
  friend class WaitList;
  WaitNode* previous_ = nullptr;
  WaitNode* next_ = nullptr;  // null: in no list
};

// Waiter derives from WaitNode.
template <class Waiter>
class WaitList {
 public:
  WaitList() noexcept { head_.previous_ = head_.next_ = &head_; }
  ~WaitList() {
    FERMATA_CHECK(empty(), "destroyed while a coroutine waits on it");
    head_.next_ = nullptr;
  }

  bool empty() const noexcept { return head_.next_ == &head_; }

  void push_back(WaitNode& node) noexcept {
    node.previous_ = head_.previous_;
    node.next_ = &head_;
    head_.previous_->next_ = &node;
    head_.previous_ = &node;
  }
  // The first waiter, still linked. Requires !empty().
  Waiter& front() noexcept { return static_cast<Waiter&>(*head_.next_); }
  // Unlinks the first waiter; null when there is none.
  Waiter* pop() noexcept {
    if (empty()) return nullptr;
    Waiter& first = front();
    first.unlink();
    return &first;
  }
  std::size_t count() const noexcept {
    std::size_t n = 0;
    for (const WaitNode* node = head_.next_; node != &head_; node = node->next_) ++n;
    return n;
  }

 private:
  WaitNode head_;
};

// Base of the operations that wait in one list: to stop them is to leave it.
class ListedWait : public Suspension, public WaitNode {
 protected:
  ListedWait() noexcept : Suspension(&ListedWait::leave) {}
  explicit ListedWait(Abort abort) noexcept : Suspension(abort) {}
  ~ListedWait() = default;

 private:
  static bool leave(Suspension& self) noexcept {
    static_cast<ListedWait&>(self).unlink();
    return true;
  }
};

}  // namespace fermata

#endif  // SERVICES_ASYNC_WAIT_LIST_H_
