#include "tests/conformance/program.h"

#include <random>

#include "absl/strings/str_cat.h"

namespace fermata {
namespace {

constexpr std::int64_t kLongestNs = std::int64_t{1} << 36;
constexpr int kMaxDepth = 5;
constexpr int kMaxNodes = 60;

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  Program make() {
    add(kMaxDepth);
    program_.cancel_ns = one_in(3) ? 0 : delay() * 2;
    return std::move(program_);
  }

 private:
  bool one_in(std::uint64_t n) { return random_() % n == 0; }
  int below(int n) { return static_cast<int>(random_() % static_cast<std::uint64_t>(n)); }
  // Mostly long, sometimes very short: then something is over before anything else happens.
  std::int64_t delay() {
    const std::int64_t range = one_in(6) ? kLongestNs >> 20 : kLongestNs;
    return 1 + static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(range));
  }

  int add(int depth) {
    Node node;
    const bool leaf = depth == 0 || static_cast<int>(program_.nodes.size()) > kMaxNodes;
    node.kind = leaf ? Kind::kValue : static_cast<Kind>(below(11));
    if (node.kind == Kind::kValue && one_in(5)) node.kind = Kind::kFail;
    node.delay_ns = delay();
    node.value = 1 + below(9);
    node.code = static_cast<absl::StatusCode>(9 + below(4));
    node.action = static_cast<Action>(below(4));
    for (int i = kid_count(node.kind); i > 0; --i) node.kids.push_back(add(depth - 1));
    if (node.kind == Kind::kForEach) node.value = 1 + below(3);
    program_.nodes.push_back(node);
    return program_.root();
  }

  int kid_count(Kind kind) {
    switch (kind) {
      case Kind::kValue:
      case Kind::kFail:
        return 0;
      case Kind::kTimeout:
      case Kind::kScope:
      case Kind::kShield:
        return 1;
      case Kind::kSettled:
        return 2;
      case Kind::kSeq:
      case Kind::kGather:
      case Kind::kRace:
        return 2 + below(2);
      case Kind::kGroup:
        return 1 + below(3);
      case Kind::kForEach:
        return 1 + below(5);
    }
    return 0;
  }

  std::mt19937_64 random_;
  Program program_;
};

constexpr const char* kNames[] = {"value",   "fail",  "seq",    "gather", "settled", "race",
                                  "timeout", "scope", "shield", "group",  "for_each"};

void append(const Program& program, int index, std::string& text) {
  const Node& node = program.nodes[static_cast<std::size_t>(index)];
  absl::StrAppend(&text, kNames[static_cast<int>(node.kind)], "#", index, "(", node.delay_ns);
  if (node.kind == Kind::kGroup) absl::StrAppend(&text, " action ", static_cast<int>(node.action));
  for (const int kid : node.kids) {
    text += " ";
    append(program, kid, text);
  }
  text += ")";
}

}  // namespace

Program random_program(std::uint64_t seed) { return Generator(seed).make(); }

std::string to_text(const Program& program) {
  std::string text;
  append(program, program.root(), text);
  absl::StrAppend(&text, " cancelled at ", program.cancel_ns);
  return text;
}

std::string to_text(const Result& result) {
  static constexpr const char* kEnds[] = {"value", "error", "cut"};
  std::string text =
      absl::StrCat(kEnds[static_cast<int>(result.end.kind)], " ", result.end.value, " code ",
                   static_cast<int>(result.end.code), " at ", result.end.at_ns, "\n");
  for (const auto& [at, node, what, number] : result.log) {
    absl::StrAppend(&text, "  ", at, " #", node, " ", std::string(1, what), " ", number, "\n");
  }
  return text;
}

}  // namespace fermata
