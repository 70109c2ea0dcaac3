#include "services/engine/pending_queue.h"

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace fermata {
namespace {

std::unique_ptr<Job> make_job(std::string queue, int priority, int arrival) {
  auto spec = std::make_shared<JobSpec>();
  spec->id = std::to_string(100000 + arrival);
  spec->queue = std::move(queue);
  spec->priority = priority;
  spec->create_time = absl::FromUnixSeconds(arrival);
  auto job = std::make_unique<Job>();
  job->spec = std::move(spec);
  return job;
}

TEST(PendingQueue, HigherPriorityGoesFirstAndEqualsByAge) {
  auto low = make_job("q", 0, 1), first = make_job("q", 5, 2), second = make_job("q", 5, 3);
  PendingQueue queue;
  // Whatever the order in which the store has let them in.
  for (Job* job : {low.get(), second.get(), first.get()}) queue.push(*job);
  EXPECT_EQ(queue.size_of("q"), 3u);
  EXPECT_EQ(queue.last("q"), low.get());
  EXPECT_EQ(queue.last("p"), nullptr);
  EXPECT_EQ(queue.pop(), first.get());
  EXPECT_EQ(queue.pop(), second.get());
  EXPECT_EQ(queue.pop(), low.get());
  EXPECT_EQ(queue.pop(), nullptr);
}

TEST(PendingQueue, LanesTakeTurnsHoweverFullOneIs) {
  std::vector<std::unique_ptr<Job>> jobs;
  PendingQueue queue;
  for (int i = 0; i < 5; ++i) queue.push(*jobs.emplace_back(make_job("busy", 9, i)));
  queue.push(*jobs.emplace_back(make_job("quiet", 0, 9)));
  EXPECT_EQ(queue.pop()->spec->queue, "busy");
  EXPECT_EQ(queue.pop()->spec->queue, "quiet");
  EXPECT_EQ(queue.pop()->spec->queue, "busy");
}

TEST(PendingQueue, OldestIsTheJobThatWaitsLongestInAnyLane) {
  auto a = make_job("a", 0, 7), b = make_job("b", 3, 5);
  PendingQueue queue;
  EXPECT_EQ(queue.oldest(), absl::InfiniteFuture());
  queue.push(*a);
  queue.push(*b);
  EXPECT_EQ(queue.oldest(), absl::FromUnixSeconds(5));
  queue.remove(*b);
  EXPECT_EQ(queue.oldest(), absl::FromUnixSeconds(7));
}

// The plain model: a vector, and the rules read off the header.
struct Model {
  std::vector<Job*> jobs;
  std::vector<std::string> turns;  // lanes, next to be served first

  void push(Job& job) {
    if (std::find(turns.begin(), turns.end(), job.spec->queue) == turns.end()) {
      turns.push_back(job.spec->queue);
    }
    jobs.push_back(&job);
  }
  Job* pop() {
    if (turns.empty()) return nullptr;
    const std::string lane = turns.front();
    turns.erase(turns.begin());
    Job* best = nullptr;
    for (Job* job : jobs) {
      if (job->spec->queue != lane) continue;
      if (best == nullptr || before(*job, *best)) best = job;
    }
    turns.push_back(lane);
    take(*best);
    return best;
  }
  static bool before(const Job& a, const Job& b) {
    if (a.spec->priority != b.spec->priority) return a.spec->priority > b.spec->priority;
    return a.spec->id < b.spec->id;
  }
  // How many there are in a queue, and the last of them.
  std::pair<size_t, Job*> lane(const std::string& queue) const {
    std::pair<size_t, Job*> found = {0, nullptr};
    for (Job* job : jobs) {
      if (job->spec->queue != queue) continue;
      ++found.first;
      if (found.second == nullptr || before(*found.second, *job)) found.second = job;
    }
    return found;
  }
  void take(Job& job) {
    jobs.erase(std::find(jobs.begin(), jobs.end(), &job));
    for (Job* other : jobs) {
      if (other->spec->queue == job.spec->queue) return;
    }
    turns.erase(std::find(turns.begin(), turns.end(), job.spec->queue));
  }
};

TEST(PendingQueue, DoesWhatThePlainModelDoes) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    std::mt19937_64 random(seed);
    std::vector<std::unique_ptr<Job>> jobs;
    PendingQueue queue;
    Model model;
    for (int step = 0; step < 300; ++step) {
      const uint64_t choice = random() % 10;
      if (choice < 5) {
        Job& job = *jobs.emplace_back(make_job(
            std::string(1, static_cast<char>('a' + random() % 3)), static_cast<int>(random() % 3),
            step * 10 + 17 * static_cast<int>(random() % 3)));
        queue.push(job);
        model.push(job);
      } else if (choice < 8) {
        ASSERT_EQ(queue.pop(), model.pop()) << "seed " << seed << ", step " << step;
      } else if (!model.jobs.empty()) {
        Job& job = *model.jobs[random() % model.jobs.size()];
        queue.remove(job);
        model.take(job);
      }
      ASSERT_EQ(queue.size(), model.jobs.size());
      for (const std::string lane : {"a", "b"}) {
        ASSERT_EQ(queue.size_of(lane), model.lane(lane).first);
        ASSERT_EQ(queue.last(lane), model.lane(lane).second);
      }
    }
  }
}

}  // namespace
}  // namespace fermata
