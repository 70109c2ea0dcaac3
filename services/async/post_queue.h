// The way into a loop from other threads: a lock-free stack of nodes, taken whole by the loop.
//
// This file and basic_offload_pool.h are the only ones in the core with atomics. One word holds the
// whole state: null (nothing posted), kAsleep (nothing posted and the loop waits in the kernel), or
// the newest node. So there is no separate "sleeping" flag and no store-load race between the two:
//
//   push   release   what the poster wrote before push() is visible to the node's run().
//   take   acquire   pairs with that release; takes every node at once, oldest first.
//   sleep  acq_rel   null -> kAsleep, fails when a node is there; so a push either is seen here and
//                    the loop does not sleep, or it finds kAsleep and must wake the loop.
//
// Only the push that replaces kAsleep wakes: one eventfd write per sleep, however many posts.
//
// The atomic is a parameter, so that the tests can stop at each access and try every order.
#ifndef SERVICES_ASYNC_POST_QUEUE_H_
#define SERVICES_ASYNC_POST_QUEUE_H_

#include <atomic>
#include <cstdint>

namespace fermata {

// Owned by the poster; must live until `run` is called, on the loop thread, or the loop is gone.
struct PostNode {
  using Run = void (*)(PostNode&) noexcept;
  explicit PostNode(Run run) noexcept : run(run) {}
  PostNode(const PostNode&) = delete;
  Run run;
  PostNode* next = nullptr;
  void (*drop)(PostNode&) noexcept = nullptr;  // called instead of run when the loop goes away
};

template <template <class> class Atomic>
class BasicPostQueue {
 public:
  // Any thread. True: the loop is asleep and the caller must wake it.
  bool push(PostNode& node) noexcept {
    PostNode* head = head_.load(std::memory_order_relaxed);
    do {
      node.next = head == asleep_mark() ? nullptr : head;
    } while (!head_.compare_exchange_weak(head, &node, std::memory_order_release,
                                          std::memory_order_relaxed));
    return head == asleep_mark();
  }

  // Loop thread. False: something was posted, do not sleep.
  bool fall_asleep() noexcept {
    PostNode* expected = nullptr;
    return head_.compare_exchange_strong(expected, asleep_mark(), std::memory_order_acq_rel,
                                         std::memory_order_relaxed);
  }

  // Any thread.
  bool asleep() const noexcept { return head_.load(std::memory_order_relaxed) == asleep_mark(); }
  bool maybe_posted() const noexcept { return head_.load(std::memory_order_relaxed) != nullptr; }

  // Loop thread. Everything posted so far, oldest first; also ends a sleep.
  PostNode* take() noexcept {
    if (!maybe_posted()) return nullptr;
    PostNode* newest = head_.exchange(nullptr, std::memory_order_acquire);
    if (newest == asleep_mark()) return nullptr;
    PostNode* oldest = nullptr;
    while (newest != nullptr) {
      PostNode* next = newest->next;
      newest->next = oldest;
      oldest = newest;
      newest = next;
    }
    return oldest;
  }

 private:
  static PostNode* asleep_mark() noexcept { return reinterpret_cast<PostNode*>(std::uintptr_t{1}); }

  Atomic<PostNode*> head_{nullptr};
};

using PostQueue = BasicPostQueue<std::atomic>;

}  // namespace fermata

#endif  // SERVICES_ASYNC_POST_QUEUE_H_
