// The ways between threads, exhaustively where they are small: every interleaving of the steps of
// posters with those of a loop that falls asleep. The steps are PostQueue's own operations, each of
// them one atomic access that takes effect; what could go wrong is their order.
#include "services/async/post_queue.h"

#include <array>
#include <cstddef>
#include <vector>

#include "gtest/gtest.h"

namespace fermata {
namespace {

struct Letter : PostNode {
  Letter() : PostNode([](PostNode& node) noexcept { static_cast<Letter&>(node).arrive(); }) {}
  void arrive() noexcept { arrived->push_back(this); }
  std::vector<const Letter*>* arrived = nullptr;
};

// One run: two posters with two letters each and one loop, stepped in the order of the schedule.
// A poster's step pushes and, as a step of its own, writes the eventfd if push() said so. The
// loop's steps are those of KernelLoop::poll: take; fall asleep or go round; wake up when written
// to; take.
class World {
 public:
  static constexpr int kActors = 3;
  static constexpr std::size_t kLetters = 2;

  World() {
    for (auto& letters : letters_) {
      for (Letter& letter : letters) letter.arrived = &arrived_;
    }
  }

  bool can_step(int actor) const {
    if (actor == kLoop) return loop_ != Loop::kInKernel || eventfd_ != 0;
    return must_write_[index(actor)] || sent_[index(actor)] < kLetters;
  }

  void step(int actor) {
    if (actor == kLoop) return step_loop();
    const std::size_t poster = index(actor);
    if (must_write_[poster]) {
      must_write_[poster] = false;
      ++eventfd_;
      ++writes_;
      return;
    }
    must_write_[poster] = queue_.push(letters_[poster][sent_[poster]++]);
  }

  // The posters have nothing left to do, and the loop waits in the kernel, for ever.
  void check() const {
    ASSERT_EQ(arrived_.size(), 2 * kLetters) << "a letter lies in the queue of a loop that sleeps";
    for (const auto& letters : letters_) {
      std::size_t place[kLetters] = {};
      for (std::size_t i = 0; i < arrived_.size(); ++i) {
        for (std::size_t l = 0; l < kLetters; ++l) {
          if (arrived_[i] == &letters[l]) place[l] = i;
        }
      }
      ASSERT_LT(place[0], place[1]) << "letters of one poster changed places";
    }
    ASSERT_LE(writes_, sleeps_) << "more than one write for one sleep";
  }

 private:
  static constexpr int kLoop = 2;
  enum class Loop { kAwake, kInKernel };
  static std::size_t index(int actor) { return static_cast<std::size_t>(actor); }

  void take() {
    PostNode* node = queue_.take();
    while (node != nullptr) {
      PostNode* next = node->next;
      node->run(*node);
      node = next;
    }
  }

  void step_loop() {
    if (loop_ == Loop::kInKernel) {
      eventfd_ = 0;
      loop_ = Loop::kAwake;
      take();
      return;
    }
    if (took_) {
      took_ = false;
      if (!queue_.fall_asleep()) return;
      ++sleeps_;
      loop_ = Loop::kInKernel;
      return;
    }
    take();
    took_ = true;
  }

  PostQueue queue_;
  std::array<std::array<Letter, kLetters>, 2> letters_;
  std::array<std::size_t, 2> sent_{};
  std::array<bool, 2> must_write_{};
  std::vector<const Letter*> arrived_;
  Loop loop_ = Loop::kAwake;
  bool took_ = false;
  int eventfd_ = 0;
  int writes_ = 0;
  int sleeps_ = 0;
};

// Runs the schedule, then the first actor that can step until none can; says which ones could have
// been taken at each step, so that the caller can go on to the next schedule.
struct Choice {
  int taken;
  std::vector<int> others;
};

void run(std::vector<Choice>& schedule) {
  World world;
  for (std::size_t i = 0; i < 200; ++i) {
    std::vector<int> can;
    for (int actor = 0; actor < World::kActors; ++actor) {
      if (world.can_step(actor)) can.push_back(actor);
    }
    if (can.empty()) return world.check();
    if (i == schedule.size()) {
      schedule.push_back(Choice{can[0], std::vector<int>(can.begin() + 1, can.end())});
    }
    world.step(schedule[i].taken);
  }
  FAIL() << "the loop never came to rest";
}

TEST(PostQueue, LosesNothingAndWritesOncePerSleepInEveryInterleaving) {
  std::vector<Choice> schedule;
  std::size_t schedules = 0;
  for (;;) {
    run(schedule);
    ++schedules;
    if (HasFatalFailure()) return;
    // A loop that is awake can always go round once more: such schedules are cut at some depth.
    constexpr std::size_t kDepth = 14;
    if (schedule.size() > kDepth) schedule.resize(kDepth);
    while (!schedule.empty() && schedule.back().others.empty()) schedule.pop_back();
    if (schedule.empty()) break;
    schedule.back().taken = schedule.back().others.back();
    schedule.back().others.pop_back();
  }
  EXPECT_GT(schedules, 1000u);
}

}  // namespace
}  // namespace fermata
