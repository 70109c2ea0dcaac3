// PostQueue itself, with every order of the accesses of two posters and a loop that falls asleep:
// tokio's loom tests closing_and_sending, dropping_tx and notify_waiters_is_atomic.
#include "services/async/post_queue.h"

#include <array>
#include <cstddef>
#include <functional>
#include <vector>

#include "gtest/gtest.h"
#include "tests/async/interleave.h"

namespace fermata {
namespace {

struct Letter : PostNode {
  Letter() : PostNode([](PostNode& node) noexcept { ++static_cast<Letter&>(node).arrived; }) {
    drop = [](PostNode& node) noexcept { ++static_cast<Letter&>(node).dropped; };
  }
  int arrived = 0;
  int dropped = 0;
  std::size_t place = 0;  // among all that arrived
};

// The eventfd of a loop, watched for edges.
class Bell {
 public:
  void ring() {
    Interleaver::current().step();
    rung_ = true;
    ++rings_;
  }
  void wait() {
    Interleaver::current().wait_until([this] { return rung_; });
    rung_ = false;
  }
  int rings() const { return rings_; }

 private:
  bool rung_ = false;
  int rings_ = 0;
};

template <class Queue, std::size_t kLetters>
class Posters {
 public:
  std::vector<std::function<void()>> actors() {
    return {[this] { post(letters_[0]); }, [this] { post(letters_[1]); }, [this] { run_loop(); }};
  }
  void check() {
    EXPECT_EQ(arrived_, 2 * kLetters);
    for (const auto& letters : letters_) {
      for (std::size_t i = 0; i < kLetters; ++i) {
        EXPECT_EQ(letters[i].arrived, 1);
        if (i > 0) {
          EXPECT_LT(letters[i - 1].place, letters[i].place) << "of one poster";
        }
      }
    }
    EXPECT_LE(bell_.rings(), sleeps_) << "more than one write for one sleep";
  }

 private:
  void post(std::array<Letter, kLetters>& letters) {
    for (Letter& letter : letters) {
      if (queue_.push(letter)) bell_.ring();
    }
  }
  // KernelLoop::poll, and then its end.
  void run_loop() {
    while (arrived_ < 2 * kLetters && !Interleaver::current().stuck()) {
      take();
      if (arrived_ == 2 * kLetters || !queue_.fall_asleep()) continue;
      ++sleeps_;
      bell_.wait();
      take();
    }
  }
  void take() {
    PostNode* node = queue_.take();
    while (node != nullptr) {
      PostNode* const next = node->next;
      static_cast<Letter*>(node)->place = arrived_++;
      node->run(*node);
      node = next;
    }
  }

  Queue queue_;
  Bell bell_;
  std::array<std::array<Letter, kLetters>, 2> letters_;
  std::size_t arrived_ = 0;
  int sleeps_ = 0;
};

using ModelQueue = BasicPostQueue<ModelAtomic>;

TEST(PostQueue, LosesNothingAndWritesOncePerSleepInEveryInterleaving) {
  const Explored all = explore<Posters<ModelQueue, 1>>(3);
  EXPECT_EQ(all.stuck, 0u) << "a letter lies in the queue of a loop that sleeps";
  EXPECT_GT(all.schedules, 500u);
}

TEST(PostQueue, KeepsTheOrderOfEachPosterInEveryInterleaving) {
  const Explored all = explore<Posters<ModelQueue, 2>>(2);
  EXPECT_EQ(all.stuck, 0u);
  EXPECT_GT(all.schedules, 500u);
}

// A loop that goes away while somebody posts: what it did not run, it drops, and nothing twice.
class Closing {
 public:
  std::vector<std::function<void()>> actors() {
    return {[this] {
              for (Letter& letter : letters_) (void)queue_.push(letter);
              posted_ = true;
            },
            [this] {
              finish([](PostNode& node) noexcept { node.run(node); });
              if (!queue_.fall_asleep()) finish([](PostNode& node) noexcept { node.run(node); });
              // The loop outlives the calls of post().
              Interleaver::current().wait_until([this] { return posted_; });
              finish([](PostNode& node) noexcept { node.drop(node); });
            }};
  }
  void check() {
    for (const Letter& letter : letters_) EXPECT_EQ(letter.arrived + letter.dropped, 1);
  }

 private:
  void finish(void (*with)(PostNode&) noexcept) {
    PostNode* node = queue_.take();
    while (node != nullptr) {
      PostNode* const next = node->next;
      with(*node);
      node = next;
    }
  }
  ModelQueue queue_;
  std::array<Letter, 3> letters_;
  bool posted_ = false;
};

TEST(PostQueue, WhatIsPostedToALoopThatGoesAwayIsRunOrDroppedOnce) {
  const Explored all = explore<Closing>(4);
  EXPECT_EQ(all.stuck, 0u);
  EXPECT_GT(all.schedules, 500u);
}

// What the interleaver is worth: the usual mistake, a flag beside the queue, is found.
class FlagBesideTheQueue {
 public:
  bool push(PostNode& node) noexcept {
    (void)queue_.push(node);
    return asleep_.exchange(false, std::memory_order_relaxed);
  }
  bool fall_asleep() noexcept {
    if (queue_.maybe_posted()) return false;
    asleep_.exchange(true, std::memory_order_relaxed);
    return true;
  }
  PostNode* take() noexcept { return queue_.take(); }

 private:
  ModelQueue queue_;
  ModelAtomic<bool> asleep_{false};
};

TEST(PostQueue, TheInterleaverFindsALostWakeUp) {
  const Explored all = explore<Posters<FlagBesideTheQueue, 1>>(2);
  EXPECT_GT(all.stuck, 0u);
}

}  // namespace
}  // namespace fermata
