// ContextVar: values that follow the flow of control. Rows 12 of the conformance list in full are
// in tests/conformance; here is what is ours alone.
#include <string>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/async/sim.h"

namespace fermata {
namespace {

ContextVar<std::string> label("none");
ContextVar<int> depth(0);

Co<std::string> read_label() {
  co_await yield_now();
  co_return label.get();
}

Co<absl::Status> set_and_spawn(TaskGroup& group) {
  EXPECT_EQ(label.get(), "none");
  Task<std::string> before = group.spawn(&read_label);
  const auto scope = label.set("parent");
  Task<std::string> after = group.spawn(&read_label);
  std::string called = co_await read_label();
  EXPECT_EQ(called, "parent");
  const Outcome<std::string>& first = co_await before;
  const Outcome<std::string>& second = co_await after;
  EXPECT_EQ(*first, "none");
  EXPECT_EQ(*second, "parent");
  co_return absl::OkStatus();
}

TEST(ContextVar, ATaskBeginsWithTheValuesOfItsSpawner) {
  on_every_seed([]() -> Co<absl::Status> { co_return co_await with_group(&set_and_spawn); });
}

Co<std::string> set_own(std::string value) {
  const auto scope = label.set(value);
  co_await yield_now();
  co_await yield_now();
  co_return label.get();
}

Co<absl::Status> set_in_branches() {
  const auto scope = label.set("outer");
  absl::StatusOr<std::tuple<std::string, std::string>> both =
      co_await gather(set_own("left"), set_own("right"));
  EXPECT_EQ(std::get<0>(*both), "left");
  EXPECT_EQ(std::get<1>(*both), "right");
  EXPECT_EQ(label.get(), "outer");
  absl::StatusOr<std::string> timed = co_await timeout(absl::Seconds(1), read_label());
  EXPECT_EQ(*timed, "outer");
  co_return absl::OkStatus();
}

TEST(ContextVar, BranchesDoNotSeeEachOthersValues) { on_every_seed(&set_in_branches); }

Co<absl::Status> nest() {
  const auto one = depth.set(1);
  {
    const auto two = depth.set(2);
    const auto text = label.set("inner");
    co_await yield_now();
    EXPECT_EQ(depth.get(), 2);
  }
  EXPECT_EQ(depth.get(), 1);
  EXPECT_EQ(label.get(), "none");
  co_return absl::OkStatus();
}

TEST(ContextVar, AValueEndsWithItsScope) { on_every_seed(&nest); }

std::string label_on_thread() { return label.get(); }

Co<absl::Status> offloaded() {
  const auto scope = label.set("carried");
  std::string there = co_await offload(&label_on_thread);
  EXPECT_EQ(there, "carried");
  co_return absl::OkStatus();
}

TEST(ContextVar, OffloadTakesTheValuesAlong) {
  on_every_seed(&offloaded);
  EXPECT_EQ(run(offloaded()), absl::OkStatus());
  EXPECT_EQ(label.get(), "none");
}

// What a destructor of a cancelled coroutine sees is what its coroutine saw.
class SeesLabel {
 public:
  explicit SeesLabel(std::string* seen) : seen_(seen) {}
  ~SeesLabel() { *seen_ = label.get(); }

 private:
  std::string* seen_;
};

Co<void> wait_labelled(std::string* seen) {
  const auto scope = label.set("cancelled one");
  SeesLabel local(seen);
  co_await sleep(absl::Hours(1));
}

Co<absl::Status> cancel_it(TaskGroup& group, std::string* seen) {
  Task<void> task = group.spawn(&wait_labelled, seen);
  co_await sleep(absl::Seconds(1));
  task.cancel();
  co_await task;
  EXPECT_EQ(label.get(), "none");
  co_return absl::OkStatus();
}

TEST(ContextVar, IsThereWhileACancelledCoroutineIsDestroyed) {
  on_every_seed([]() -> Co<absl::Status> {
    std::string seen;
    absl::Status status = co_await with_group(&cancel_it, &seen);
    EXPECT_EQ(seen, "cancelled one");
    co_return status;
  });
}

Co<absl::Status> callback_sees_nothing() {
  const auto scope = label.set("mine");
  std::string seen;
  Event called;
  Loop::current().post([&seen, &called] {
    seen = label.get();
    called.set();
  });
  co_await called.wait();
  EXPECT_EQ(seen, "none");
  co_return absl::OkStatus();
}

TEST(ContextVar, APostedCallbackBelongsToNobody) { on_every_seed(&callback_sees_nothing); }

}  // namespace
}  // namespace fermata
