// Interleaver: threads whose every step is chosen, so that all orders of their steps can be tried.
//
//   struct World {                       // one per schedule
//     std::vector<std::function<void()>> actors();
//     void check();                      // when all actors have ended
//   };
//   Explored all = explore<World>(2);    // every schedule with at most two preemptions
//
// The code under test is the real one, with ModelAtomic for std::atomic, ModelThreads for the
// mutex, condition and threads of the offload pool: each of their operations first asks who goes
// on. Actors are threads that hand one baton round, so nothing ever runs at the same time, and
// sanitizers see ordinary threads. A switch away from an actor that could go on is a preemption;
// most errors need one or two. Orders of memory are not modelled: every access takes effect at
// once. (That part is the thread sanitizer's, and the argument beside the code.)
#ifndef TESTS_ASYNC_INTERLEAVE_H_
#define TESTS_ASYNC_INTERLEAVE_H_

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <semaphore>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace fermata {

// The choices of one run, and the way to the next: depth first, all of them.
class Schedule {
 public:
  std::size_t choose(std::size_t options) {
    if (options == 1) return 0;
    if (depth_ == path_.size()) path_.push_back({0, options});
    return path_[depth_++].taken;
  }
  // False: there is none left.
  bool next() {
    depth_ = 0;
    while (!path_.empty() && path_.back().taken + 1 == path_.back().options) path_.pop_back();
    if (path_.empty()) return false;
    ++path_.back().taken;
    return true;
  }
  std::string to_string() const {
    std::string text;
    for (const Choice& choice : path_) text += std::to_string(choice.taken) + " ";
    return text;
  }

 private:
  struct Choice {
    std::size_t taken;
    std::size_t options;
  };
  std::vector<Choice> path_;
  std::size_t depth_ = 0;
};

// A thread that runs one body after another: making one costs more than a schedule.
class ActorThread {
 public:
  ActorThread() : thread_([this] { serve(); }) {}
  ActorThread(const ActorThread&) = delete;
  ~ActorThread() {
    run(nullptr);
    thread_.join();
  }
  void run(std::function<void()> body) {
    body_ = std::move(body);
    wanted_.release();
  }
  void wait_until_idle() { idle_.acquire(); }

 private:
  void serve() {
    for (;;) {
      wanted_.acquire();
      if (body_ == nullptr) return;
      body_();
      body_ = nullptr;
      idle_.release();
    }
  }
  std::function<void()> body_;
  std::binary_semaphore wanted_{0};
  std::binary_semaphore idle_{0};
  std::thread thread_;
};

// Those that are not in a schedule.
class ActorThreads {
 public:
  std::unique_ptr<ActorThread> take() {
    if (idle_.empty()) return std::make_unique<ActorThread>();
    std::unique_ptr<ActorThread> thread = std::move(idle_.back());
    idle_.pop_back();
    return thread;
  }
  void put_back(std::unique_ptr<ActorThread> thread) { idle_.push_back(std::move(thread)); }

 private:
  std::vector<std::unique_ptr<ActorThread>> idle_;
};

class Interleaver {
 public:
  Interleaver(ActorThreads& threads, Schedule& schedule, std::size_t preemptions)
      : threads_(threads), schedule_(schedule), preemptions_(preemptions) {
    current_ = this;
  }
  ~Interleaver() { current_ = nullptr; }
  Interleaver(const Interleaver&) = delete;

  static Interleaver& current() { return *current_; }

  // An actor is about to do something that others can see.
  void step() {
    wait_until([] { return true; });
  }
  // It can go on only when this is so.
  void wait_until(std::function<bool()> possible) {
    Actor& self = *running_;
    self.possible = std::move(possible);
    turn_over_.release();
    self.go.acquire();
  }
  std::size_t choose(std::size_t options) { return schedule_.choose(options); }

  // The number of the new actor.
  std::size_t add(std::function<void()> body) {
    Actor& actor = *actors_.emplace_back(std::make_unique<Actor>());
    actor.thread = threads_.take();
    actor.thread->run([this, &actor, body = std::move(body)] {
      actor.go.acquire();
      body();
      actor.done = true;
      turn_over_.release();
    });
    return actors_.size() - 1;
  }
  bool done(std::size_t actor) const { return actors_[actor]->done; }

  // Until all have ended. False: somebody waited for what could not happen any more; from then on
  // every wait ends at once, so that there is an end.
  bool run() {
    while (Actor* next = pick()) {
      running_ = next;
      next->go.release();
      turn_over_.acquire();
    }
    for (const auto& actor : actors_) {
      actor->thread->wait_until_idle();
      threads_.put_back(std::move(actor->thread));
    }
    return !stuck_;
  }
  bool stuck() const { return stuck_; }

 private:
  struct Actor {
    std::unique_ptr<ActorThread> thread;
    std::binary_semaphore go{0};
    std::function<bool()> possible = [] { return true; };
    bool done = false;
  };

  Actor* pick() {
    std::vector<Actor*> ready;
    bool all_done = true;
    const bool may_go_on = running_ != nullptr && !running_->done && can_go_on(*running_);
    if (may_go_on) ready.push_back(running_);
    for (const auto& actor : actors_) {
      all_done = all_done && actor->done;
      if (actor->done || actor.get() == running_ || !can_go_on(*actor)) continue;
      ready.push_back(actor.get());
    }
    if (all_done) return nullptr;
    if (ready.empty()) {
      stuck_ = true;
      return pick();
    }
    if (!may_go_on) return ready[schedule_.choose(ready.size())];
    if (preemptions_ == 0) return running_;
    Actor* const chosen = ready[schedule_.choose(ready.size())];
    if (chosen != running_) --preemptions_;
    return chosen;
  }
  bool can_go_on(const Actor& actor) const { return stuck_ || actor.possible(); }

  static inline Interleaver* current_ = nullptr;

  ActorThreads& threads_;
  Schedule& schedule_;
  std::size_t preemptions_;
  std::vector<std::unique_ptr<Actor>> actors_;
  Actor* running_ = nullptr;
  std::binary_semaphore turn_over_{0};
  bool stuck_ = false;
};

struct Explored {
  std::size_t schedules = 0;
  std::size_t stuck = 0;  // in which nobody could go on
};

template <class World>
Explored explore(std::size_t preemptions) {
  Explored explored;
  Schedule schedule;
  ActorThreads threads;
  do {
    SCOPED_TRACE("schedule " + schedule.to_string());
    Interleaver interleaver(threads, schedule, preemptions);
    World world;
    for (std::function<void()>& body : world.actors()) interleaver.add(std::move(body));
    ++explored.schedules;
    if (interleaver.run()) {
      world.check();
    } else {
      ++explored.stuck;
    }
  } while (!::testing::Test::HasFailure() && schedule.next());
  return explored;
}

// ---- what the code under test is given instead of the standard's

template <class T>
class ModelAtomic {
 public:
  ModelAtomic(T value) : value_(value) {}  // NOLINT: as std::atomic
  ModelAtomic(const ModelAtomic&) = delete;

  T load(std::memory_order) const {
    Interleaver::current().step();
    return value_;
  }
  T exchange(T value, std::memory_order) {
    Interleaver::current().step();
    return std::exchange(value_, value);
  }
  bool compare_exchange_strong(T& expected, T value, std::memory_order, std::memory_order) {
    Interleaver::current().step();
    if (value_ == expected) {
      value_ = value;
      return true;
    }
    expected = value_;
    return false;
  }
  // May fail for no reason: once, or there would be no end of schedules.
  bool compare_exchange_weak(T& expected, T value, std::memory_order success,
                             std::memory_order failure) {
    if (!failed_ && Interleaver::current().choose(2) == 1) {
      failed_ = true;
      return false;
    }
    return compare_exchange_strong(expected, value, success, failure);
  }

 private:
  T value_;
  bool failed_ = false;
};

class ModelMutex {
 public:
  void lock() {
    Interleaver::current().wait_until([this] { return !locked_; });
    locked_ = true;
  }
  void unlock() { locked_ = false; }

 private:
  bool locked_ = false;
};

// Wakes any one of those that wait.
class ModelCondition {
 public:
  template <class Predicate>
  void wait(std::unique_lock<ModelMutex>& lock, Predicate ready) {
    Interleaver& interleaver = Interleaver::current();
    while (!ready()) {
      bool woken = false;
      waiting_.push_back(&woken);
      lock.unlock();
      interleaver.wait_until([&woken] { return woken; });
      lock.lock();
      if (interleaver.stuck()) return;
    }
  }
  void notify_one() {
    if (waiting_.empty()) return;
    const std::size_t chosen = Interleaver::current().choose(waiting_.size());
    *waiting_[chosen] = true;
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(chosen));
  }
  void notify_all() {
    while (!waiting_.empty()) notify_one();
  }

 private:
  std::vector<bool*> waiting_;
};

class ModelThread {
 public:
  explicit ModelThread(std::function<void()> body)
      : actor_(Interleaver::current().add(std::move(body))) {}
  void join() {
    Interleaver& interleaver = Interleaver::current();
    interleaver.wait_until([&interleaver, this] { return interleaver.done(actor_); });
  }

 private:
  std::size_t actor_;
};

}  // namespace fermata

#endif  // TESTS_ASYNC_INTERLEAVE_H_
