// OffloadPool itself, with every order of what its threads and the loop do to it: tokio's loom test
// concurrent_cancel, and the pool's end.
#include <array>
#include <cstddef>
#include <functional>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/basic_offload_pool.h"
#include "tests/async/interleave.h"

namespace fermata {
namespace {

// Where finished calls are posted back to.
class Home {
 public:
  void post(PostNode& node) noexcept {
    (void)queue_.push(node);
    ++posted_;
  }
  void wait_for_more() {
    Interleaver::current().wait_until([this, seen = seen_] { return posted_ > seen; });
    seen_ = posted_;
  }
  // Runs what has come back; the number.
  std::size_t run() {
    std::size_t calls = 0;
    for (PostNode* node = queue_.take(); node != nullptr; ++calls) {
      PostNode* const next = node->next;
      node->run(*node);
      node = next;
    }
    return calls;
  }

 private:
  BasicPostQueue<ModelAtomic> queue_;
  std::size_t posted_ = 0;
  std::size_t seen_ = 0;
};

struct ModelThreads {
  using Mutex = ModelMutex;
  using Condition = ModelCondition;
  using Thread = ModelThread;
  using Home = fermata::Home;
};

using ModelPool = BasicOffloadPool<ModelThreads>;

struct Call : OffloadJob {
  Call()
      : OffloadJob(
            [](OffloadJob& job) noexcept {
              Interleaver::current().step();
              ++static_cast<Call&>(job).worked;
            },
            [](PostNode& node) noexcept {
              ++static_cast<Call&>(static_cast<OffloadJob&>(node)).returned;
            }) {}
  int worked = 0;
  int returned = 0;
  bool withdrawn = false;
};

// Calls are handed in, some of them taken back, the rest waited for; then the pool goes.
template <std::size_t kThreads, std::size_t kCalls, std::size_t kWithdrawn>
class Calls {
 public:
  std::vector<std::function<void()>> actors() {
    return {[this] {
      ModelPool pool(home_, kThreads);
      for (Call& call : calls_) pool.submit(call);
      std::size_t outstanding = kCalls;
      for (std::size_t i = 0; i < kWithdrawn; ++i) {
        Call& call = calls_[kCalls - 1 - i];
        call.withdrawn = pool.withdraw(call);
        outstanding -= call.withdrawn ? 1 : 0;
      }
      while (outstanding > 0 && !Interleaver::current().stuck()) {
        home_.wait_for_more();
        outstanding -= home_.run();
      }
      EXPECT_EQ(pool.inline_calls(), 0u);
    }};
  }
  void check() {
    for (const Call& call : calls_) {
      EXPECT_EQ(call.worked, call.withdrawn ? 0 : 1);
      EXPECT_EQ(call.returned, call.worked);
    }
  }

 private:
  Home home_;
  std::array<Call, kCalls> calls_;
};

TEST(OffloadPool, EveryCallIsMadeOnceOrWithdrawnInEveryInterleaving) {
  const Explored all = explore<Calls<1, 3, 2>>(4);
  EXPECT_EQ(all.stuck, 0u);
  EXPECT_GT(all.schedules, 100u);
}

TEST(OffloadPool, TwoThreadsShareTheCallsInEveryInterleaving) {
  const Explored all = explore<Calls<2, 2, 2>>(2);
  EXPECT_EQ(all.stuck, 0u);
  EXPECT_GT(all.schedules, 500u);
}

}  // namespace
}  // namespace fermata
