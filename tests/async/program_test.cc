// Random programs over the combinators, on simulated loops, against a model in plain code.
//
// A program is a tree: sleeps and failures at the leaves, and gather, race, timeout, shield,
// groups, sequences and catch points above them, cancelled from outside at a random time. The model
// works out when each part ends, and how, without running anything: by the rules of scope.h alone.
// Durations are drawn so finely that two things never happen at the same time, so there is one
// right answer.
#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/async/sim.h"

namespace fermata {
namespace {

enum class Kind { kSleep, kFail, kGather, kRace, kTimeout, kShield, kGroup, kSequence, kCatch };

struct Node {
  Kind kind = Kind::kSleep;
  std::int64_t duration_ns = 0;
  std::vector<std::unique_ptr<Node>> children;
};

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
constexpr long kCaught = 1000;

std::unique_ptr<Node> draw(std::mt19937_64& random, int depth) {
  auto node = std::make_unique<Node>();
  node->duration_ns = 1 + static_cast<std::int64_t>(random() % 1'000'000'000);
  if (depth == 0) {
    node->kind = random() % 5 == 0 ? Kind::kFail : Kind::kSleep;
    return node;
  }
  constexpr Kind kInner[] = {Kind::kGather, Kind::kRace,     Kind::kTimeout, Kind::kShield,
                             Kind::kGroup,  Kind::kSequence, Kind::kCatch};
  node->kind = kInner[random() % 7];
  const bool many = node->kind == Kind::kGather || node->kind == Kind::kRace ||
                    node->kind == Kind::kGroup || node->kind == Kind::kSequence;
  for (int i = 0; i < (many ? 3 : 1); ++i) {
    node->children.push_back(
        draw(random, static_cast<int>(random() % static_cast<unsigned>(depth))));
  }
  return node;
}

std::string show(const Node& node) {
  constexpr const char* kNames[] = {"sleep",  "fail",  "gather",   "race", "timeout",
                                    "shield", "group", "sequence", "catch"};
  std::string text = kNames[static_cast<int>(node.kind)];
  text += " " + std::to_string(node.duration_ns);
  if (node.children.empty()) return text;
  text += "(";
  for (const auto& child : node.children) text += show(*child) + ", ";
  return text + ")";
}

// ---- the real thing

Co<absl::StatusOr<long>> run_node(const Node* node);

Co<absl::Status> run_child(const Node* node) {
  Counted counted;
  absl::StatusOr<long> value = co_await run_node(node);
  co_return value.status();
}

Co<absl::Status> run_children(TaskGroup& group, const Node* node) {
  for (const auto& child : node->children) group.spawn(run_child, child.get());
  co_return absl::OkStatus();
}

Co<absl::StatusOr<long>> run_many(const Node* node) {
  const Node* a = node->children[0].get();
  const Node* b = node->children[1].get();
  const Node* c = node->children[2].get();
  if (node->kind == Kind::kGather) {
    std::tuple<long, long, long> all = co_await Try(gather(run_node(a), run_node(b), run_node(c)));
    co_return std::get<0>(all) + std::get<1>(all) + std::get<2>(all);
  }
  if (node->kind == Kind::kRace) {
    auto first = co_await race(run_node(a), run_node(b), run_node(c));
    co_return std::visit([](auto& result) { return std::move(result); }, first);
  }
  if (node->kind == Kind::kGroup) {
    co_await Try(with_group(run_children, node));
    co_return 1;
  }
  long sum = 0;
  for (const auto& child : node->children) {
    long value = co_await Try(run_node(child.get()));
    sum += value;
  }
  co_return sum;
}

Co<absl::StatusOr<long>> run_node(const Node* node) {
  Counted counted;
  const absl::Duration duration = absl::Nanoseconds(node->duration_ns);
  switch (node->kind) {
    case Kind::kSleep:
      co_await sleep(duration);
      co_return 1;
    case Kind::kFail:
      co_await sleep(duration);
      co_return absl::DataLossError(std::to_string(node->duration_ns));
    case Kind::kTimeout:
      co_return co_await timeout(duration, run_node(node->children[0].get()));
    case Kind::kShield:
      co_return co_await shield(run_node(node->children[0].get()));
    case Kind::kCatch: {
      CancelScope scope(now() + duration);
      Outcome<long> outcome = co_await scope.run(run_node(node->children[0].get()));
      if (outcome.cancelled()) co_return kCaught;
      co_return std::move(outcome).to_status_or();
    }
    default:
      co_return co_await run_many(node);
  }
}

// ---- the model

struct End {
  enum How { kValue, kError, kCancelled } how = kValue;
  std::int64_t at = 0;
  long value = 0;  // or what identifies the error
  bool operator==(const End&) const = default;
};

std::ostream& operator<<(std::ostream& out, const End& end) {
  return out << (end.how == End::kValue   ? "value "
                 : end.how == End::kError ? "error "
                                          : "cancelled ")
             << end.value << " at " << end.at;
}

constexpr long kDeadlineError = -1;

End model(const Node& node, std::int64_t start, std::int64_t cancel);

End model_leaf(const Node& node, std::int64_t start, std::int64_t cancel) {
  const std::int64_t natural = start + node.duration_ns;
  if (cancel < natural) return {End::kCancelled, std::max(start, cancel), 0};
  if (node.kind == Kind::kSleep) return {End::kValue, natural, 1};
  return {End::kError, natural, node.duration_ns};
}

// The end of each child when all of them are cancelled at `cancel`, and again once `decides` says
// that one has ended in the way that cancels the others.
template <class Decides>
std::vector<End> model_all(const Node& node, std::int64_t start, std::int64_t cancel,
                           Decides decides, const End** decisive, std::vector<End>& before) {
  before.clear();
  for (const auto& child : node.children) before.push_back(model(*child, start, cancel));
  *decisive = nullptr;
  for (const End& end : before) {
    if (decides(end) && (*decisive == nullptr || end.at < (*decisive)->at)) *decisive = &end;
  }
  if (*decisive == nullptr) return before;
  std::vector<End> after;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const bool is_decisive = &before[i] == *decisive;
    after.push_back(is_decisive
                        ? before[i]
                        : model(*node.children[i], start, std::min(cancel, (*decisive)->at)));
  }
  return after;
}

End model_many(const Node& node, std::int64_t start, std::int64_t cancel) {
  if (cancel <= start) return {End::kCancelled, start, 0};  // no branch is started
  const bool is_race = node.kind == Kind::kRace;
  const End* decisive = nullptr;
  std::vector<End> before;
  const auto decides = [is_race](const End& end) {
    return is_race ? end.how != End::kCancelled : end.how == End::kError;
  };
  const std::vector<End> ends = model_all(node, start, cancel, decides, &decisive, before);
  End result{End::kValue, start, node.kind == Kind::kGroup ? 1 : 0};
  for (const End& end : ends) {
    result.at = std::max(result.at, end.at);
    if (end.how == End::kCancelled) result.how = End::kCancelled;
    if (node.kind == Kind::kGather) result.value += end.value;
  }
  if (decisive != nullptr) {
    result.how = decisive->how;
    result.value = decisive->value;
  }
  if (result.how == End::kCancelled) result.value = 0;
  return result;
}

End model(const Node& node, std::int64_t start, std::int64_t cancel) {
  switch (node.kind) {
    case Kind::kSleep:
    case Kind::kFail:
      return model_leaf(node, start, cancel);
    case Kind::kTimeout: {
      if (cancel <= start) return {End::kCancelled, start, 0};
      const End end = model(*node.children[0], start, std::min(cancel, start + node.duration_ns));
      if (end.how != End::kCancelled || cancel <= end.at) return end;
      return {End::kError, end.at, kDeadlineError};
    }
    case Kind::kShield:
      return model(*node.children[0], start, kNever);
    case Kind::kCatch: {
      if (cancel <= start) return {End::kValue, start, kCaught};
      const End end = model(*node.children[0], start, std::min(cancel, start + node.duration_ns));
      if (end.how == End::kCancelled) return {End::kValue, end.at, kCaught};
      return end;
    }
    case Kind::kSequence: {
      End all{End::kValue, start, 0};
      for (const auto& child : node.children) {
        const End end = model(*child, all.at, cancel);
        if (end.how != End::kValue) return end;
        all = {End::kValue, end.at, all.value + end.value};
      }
      return all;
    }
    default:
      return model_many(node, start, cancel);
  }
}

// ---- both

Co<absl::Status> run_program(const Node* node, std::int64_t cancel_ns, End& end) {
  const absl::Time start = now();
  CancelScope scope(start + absl::Nanoseconds(cancel_ns));
  Outcome<long> outcome = co_await scope.run(run_node(node));
  end.at = absl::ToInt64Nanoseconds(now() - start);
  if (outcome.cancelled()) {
    end.how = End::kCancelled;
  } else if (outcome.ok()) {
    end.value = *outcome;
  } else {
    end.how = End::kError;
    const bool late = outcome.status().code() == absl::StatusCode::kDeadlineExceeded;
    end.value = late ? kDeadlineError : std::stol(std::string(outcome.status().message()));
  }
  co_return absl::OkStatus();
}

TEST(Programs, EndWhenAndHowTheModelSays) {
  int ways[3] = {};
  for (std::uint64_t seed = 1; seed <= 4000; ++seed) {
    std::mt19937_64 random(seed);
    const std::unique_ptr<Node> program = draw(random, 5);
    const std::int64_t cancel_ns = 1 + static_cast<std::int64_t>(random() % 2'500'000'000);
    SCOPED_TRACE("seed " + std::to_string(seed) + ", cancelled at " + std::to_string(cancel_ns) +
                 ": " + show(*program));
    const Node* root = program.get();
    End end;
    ASSERT_EQ(run_once(seed % 7, run_program, root, cancel_ns, end), absl::OkStatus());
    ASSERT_EQ(end, model(*program, 0, cancel_ns));
    ++ways[end.how];
  }
  for (const int count : ways) EXPECT_GT(count, 200) << "the programs drawn are too much alike";
}

}  // namespace
}  // namespace fermata
