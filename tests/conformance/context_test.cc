// asyncio's context tests (test_tasks.py, test_threads.py). Row 12. A set lasts as long as the
// scope it returns, where Python's lasts until the task ends; what is inherited, and seen by whom,
// is the same.
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "services/async/context_var.h"
#include "tests/conformance/in_group.h"

namespace fermata {
namespace {

ContextVar<std::string> cvar("nope");
ContextVar<int> number(-1);

// test_context_1: the child has what was set when it was spawned, and its own does not leak up.
TEST(AsyncioContext, Context1) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    EXPECT_EQ(cvar.get(), "nope");
    Task<void> sub = group.spawn([]() -> Co<void> {
      co_await sleep(absl::Milliseconds(10));
      EXPECT_EQ(cvar.get(), "nope") << "set by the parent after the spawn";
      const auto scope = cvar.set("something else");
      co_await sleep(absl::Milliseconds(10));
      EXPECT_EQ(cvar.get(), "something else");
    });
    const auto scope = cvar.set("yes");
    EXPECT_EQ(cvar.get(), "yes");
    co_await sub;
    EXPECT_EQ(cvar.get(), "yes");
    Task<std::string> later = group.spawn([]() -> Co<std::string> { co_return cvar.get(); });
    Outcome<std::string> inherited = co_await later;
    EXPECT_EQ(inherited.value(), "yes");
    co_return absl::OkStatus();
  });
  EXPECT_EQ(cvar.get(), "nope") << "outside of any loop";
}

// test_context_2: values survive suspensions, also those that a callback ends, whose own context is
// another one.
TEST(AsyncioContext, Context2) {
  in_group([](TaskGroup&) -> Co<absl::Status> {
    for (int j = 0; j < 2; ++j) {
      Event event;
      const auto scope = cvar.set("yes" + std::to_string(j));
      Event* set = &event;
      Loop::current().post([set] {
        EXPECT_EQ(cvar.get(), "nope") << "a posted callback belongs to nobody";
        set->set();
      });
      co_await event.wait();
      EXPECT_EQ(cvar.get(), "yes" + std::to_string(j));
      for (int i = 0; i < 3; ++i) {
        const auto inner = cvar.set(std::to_string(i));
        co_await sleep(absl::Milliseconds(1));
        EXPECT_EQ(cvar.get(), std::to_string(i));
      }
      EXPECT_EQ(cvar.get(), "yes" + std::to_string(j)) << "the inner scope has gone";
    }
    EXPECT_EQ(cvar.get(), "nope");
    co_return absl::OkStatus();
  });
}

// test_context_3: a hundred tasks at once, each with its own.
TEST(AsyncioContext, Context3) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    for (int task = 0; task < 100; ++task) {
      group.spawn(
          [](int task) -> Co<void> {
            for (int i = 0; i < 10; ++i) {
              const auto scope = number.set(task + i);
              co_await sleep(absl::Milliseconds((task * 7 + i * 3) % 11));
              EXPECT_EQ(number.get(), task + i);
            }
            EXPECT_EQ(number.get(), -1);
          },
          task);
    }
    co_return absl::OkStatus();
  });
}

Co<std::string> seen_below(int depth) {
  co_await yield_now();
  if (depth == 0) co_return cvar.get();
  std::tuple<Outcome<std::string>> below = co_await gather_settled(seen_below(depth - 1));
  co_return std::get<0>(below).value();
}

// test_context_4 to 6 run tasks in a context that is passed in. There is no such parameter here:
// set, then spawn. What they check, that a value reaches a task through whatever lies between:
TEST(AsyncioContext, Context4To6) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    std::vector<Task<std::string>> tasks;
    for (const char* value : {"1", "2", "3"}) {
      const auto scope = cvar.set(value);
      tasks.push_back(group.spawn(&seen_below, 5));
    }
    std::string seen;
    for (const Task<std::string>& task : tasks) {
      const Outcome<std::string>& outcome = co_await task;
      seen += outcome.value();
    }
    EXPECT_EQ(seen, "123");
    EXPECT_EQ(cvar.get(), "nope");
    co_return absl::OkStatus();
  });
}

// A cancelled task is destroyed with its own values in force, and leaves those of others alone.
TEST(AsyncioContext, EndsWithACancelledTask) {
  in_group([](TaskGroup& group) -> Co<absl::Status> {
    const auto scope = cvar.set("mine");
    Task<void> task = group.spawn([]() -> Co<void> {
      const auto scope = cvar.set("its own");
      co_await sleep_an_hour();
    });
    co_await settle();
    task.cancel();
    co_await task;
    EXPECT_EQ(cvar.get(), "mine");
    absl::Status cut = co_await timeout(absl::Seconds(1), []() -> Co<void> {
      const auto scope = cvar.set("of the body");
      co_await sleep_an_hour();
    }());
    EXPECT_EQ(cut.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(cvar.get(), "mine");
    co_return absl::OkStatus();
  });
}

// test_to_thread_contextvars, on real threads.
TEST(AsyncioContext, ToThreadContextvars) {
  EpollLoop loop;
  EXPECT_EQ(loop.run([]() -> Co<absl::Status> {
    const auto scope = cvar.set("parrot");
    std::string there = co_await offload([] { return cvar.get(); });
    EXPECT_EQ(there, "parrot");
    EXPECT_EQ(cvar.get(), "parrot");
    co_return absl::OkStatus();
  }),
            absl::OkStatus());
}

}  // namespace
}  // namespace fermata
