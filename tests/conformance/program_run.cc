// A random program, as coroutines on a simulated loop.
#include <algorithm>
#include <utility>

#include "services/async/async.h"
#include "tests/conformance/program.h"

namespace fermata {
namespace {

using Number = absl::StatusOr<int>;

struct World {
  explicit World(const Program& program) : program(program) {}
  const Node& node(int index) const { return program.nodes[static_cast<std::size_t>(index)]; }
  void log(int index, char what, int number) {
    entries.emplace_back(absl::ToInt64Nanoseconds(now() - began), index, what, number);
  }
  const Program& program;
  absl::Time began = now();
  std::vector<LogEntry> entries;
};

// Logs when its coroutine is destroyed before it was done.
class Mark {
 public:
  Mark(World& world, int index) : world_(&world), index_(index) {}
  Mark(const Mark&) = delete;
  ~Mark() {
    if (!done_) world_->log(index_, 'x', 0);
  }
  void done(char what, int number) {
    done_ = true;
    world_->log(index_, what, number);
  }

 private:
  World* world_;
  int index_;
  bool done_ = false;
};

Co<Number> run_node(World* world, int index);

Co<Number> run_leaf(World* world, int index) {
  Mark mark(*world, index);
  const Node& node = world->node(index);
  co_await sleep(absl::Nanoseconds(node.delay_ns));
  mark.done('v', node.value);
  if (node.kind == Kind::kFail) co_return absl::Status(node.code, "as the program says");
  co_return node.value;
}

Co<Number> run_seq(World* world, const Node* node) {
  int sum = 0;
  for (const int kid : node->kids) {
    int value = co_await Try(run_node(world, kid));
    sum += value;
  }
  co_return sum;
}

Co<Number> run_gather(World* world, const Node* node) {
  const std::vector<int>& kids = node->kids;
  if (kids.size() == 2) {
    std::tuple<int, int> both =
        co_await Try(gather(run_node(world, kids[0]), run_node(world, kids[1])));
    co_return std::get<0>(both) + std::get<1>(both);
  }
  std::tuple<int, int, int> all = co_await Try(
      gather(run_node(world, kids[0]), run_node(world, kids[1]), run_node(world, kids[2])));
  co_return std::get<0>(all) + std::get<1>(all) + std::get<2>(all);
}

int settled_value(const Outcome<int>& outcome) {
  if (outcome.cancelled()) return 1000;
  return outcome.ok() ? outcome.value() : 100 + static_cast<int>(outcome.status().code());
}

Co<Number> run_settled(World* world, const Node* node) {
  std::tuple<Outcome<int>, Outcome<int>> both =
      co_await gather_settled(run_node(world, node->kids[0]), run_node(world, node->kids[1]));
  co_return settled_value(std::get<0>(both)) + settled_value(std::get<1>(both));
}

Co<Number> run_race(World* world, const Node* node) {
  const std::vector<int>& kids = node->kids;
  if (kids.size() == 2) {
    std::variant<Number, Number> first =
        co_await race(run_node(world, kids[0]), run_node(world, kids[1]));
    co_return std::visit([](Number& result) { return result; }, first);
  }
  std::variant<Number, Number, Number> first =
      co_await race(run_node(world, kids[0]), run_node(world, kids[1]), run_node(world, kids[2]));
  co_return std::visit([](Number& result) { return result; }, first);
}

Co<Number> run_scope(World* world, const Node* node) {
  CancelScope scope(now() + absl::Nanoseconds(node->delay_ns));
  Outcome<int> outcome = co_await scope.run(run_node(world, node->kids[0]));
  if (outcome.cancelled()) co_return 5000;
  co_return std::move(outcome).to_status_or();
}

Co<absl::Status> run_kid(World* world, int index) {
  int value = co_await Try(run_node(world, index));
  world->log(index, 'k', value);
  co_return absl::OkStatus();
}

Co<absl::Status> group_body(TaskGroup& group, World* world, int index) {
  Mark mark(*world, index);
  const Node& node = world->node(index);
  std::vector<Task<void>> tasks;
  for (const int kid : node.kids) tasks.push_back(group.spawn(&run_kid, world, kid));
  co_await sleep(absl::Nanoseconds(node.delay_ns));
  mark.done('b', 0);
  if (node.action == Action::kCancelChild) tasks[0].cancel();
  if (node.action == Action::kCancelGroup) group.cancel();
  if (node.action == Action::kFail) co_return absl::Status(node.code, "the body fails");
  co_return absl::OkStatus();
}

Co<Number> run_item(int index, World* world) { co_return co_await run_node(world, index); }

Co<Number> run_node(World* world, int index) {
  const Node* node = &world->node(index);
  switch (node->kind) {
    case Kind::kValue:
    case Kind::kFail:
      co_return co_await run_leaf(world, index);
    case Kind::kSeq:
      co_return co_await run_seq(world, node);
    case Kind::kGather:
      co_return co_await run_gather(world, node);
    case Kind::kSettled:
      co_return co_await run_settled(world, node);
    case Kind::kRace:
      co_return co_await run_race(world, node);
    case Kind::kTimeout:
      co_return co_await timeout(absl::Nanoseconds(node->delay_ns), run_node(world, node->kids[0]));
    case Kind::kScope:
      co_return co_await run_scope(world, node);
    case Kind::kShield:
      co_return co_await shield(run_node(world, node->kids[0]));
    case Kind::kGroup:
      co_await Try(with_group(group_body, world, index));
      co_return 1;
    case Kind::kForEach: {
      const std::size_t limit = static_cast<std::size_t>(node->value);
      co_await Try(for_each(node->kids, limit, run_item, world));
      co_return 1;
    }
  }
  co_return 0;
}

Co<absl::Status> cancel_later(CancelScope* scope, std::int64_t delay_ns) {
  co_await sleep(absl::Nanoseconds(delay_ns));
  scope->cancel();
  co_return absl::OkStatus();
}

Co<absl::Status> main_body(TaskGroup& group, const Program* program, Result* result) {
  World world(*program);
  CancelScope scope;
  Task<void> canceller;
  if (program->cancel_ns != 0) {
    CancelScope* target = &scope;
    canceller = group.spawn(&cancel_later, target, program->cancel_ns);
    co_await yield_now();
    while (Loop::current().stats().timers == 0) co_await yield_now();
  }
  Outcome<int> outcome = co_await scope.run(run_node(&world, program->root()));
  result->end.at_ns = absl::ToInt64Nanoseconds(now() - world.began);
  if (canceller) canceller.cancel();
  if (outcome.cancelled()) {
    result->end.kind = End::Kind::kCut;
  } else if (outcome.ok()) {
    result->end.value = outcome.value();
  } else {
    result->end.kind = End::Kind::kError;
    result->end.code = outcome.status().code();
  }
  result->log = std::move(world.entries);
  co_return absl::OkStatus();
}

}  // namespace

Result execute(const Program& program, std::uint64_t loop_seed) {
  Result result;
  SimLoop loop(loop_seed);
  const Program* source = &program;
  Result* out = &result;
  const absl::Status status = loop.run(with_group<decltype(&main_body), const Program*&, Result*&>,
                                       &main_body, source, out);
  if (!status.ok()) result.log.emplace_back(-1, static_cast<int>(status.code()), '!', 0);
  std::sort(result.log.begin(), result.log.end());
  return result;
}

}  // namespace fermata
