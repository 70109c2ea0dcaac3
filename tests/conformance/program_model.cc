// The model: what a program must do, from the durations alone. Each function answers for one node:
// begun at `start`, in a scope that is cancelled at `cut`, when and how does it end?
#include <algorithm>
#include <limits>
#include <queue>

#include "tests/conformance/program.h"

namespace fermata {
namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
using Times = std::vector<std::int64_t>;

class Model {
 public:
  explicit Model(const Program& program) : program_(program) {}
  bool ambiguous() const { return ambiguous_; }
  std::vector<LogEntry> take_log() { return std::move(log_); }

  // A body under its own scope: one that is cancelled already is never started.
  End body(int index, std::int64_t start, std::int64_t cut) {
    if (cut <= start) return ended(End::Kind::kCut, start);
    return node(index, start, cut);
  }

 private:
  static End ended(End::Kind kind, std::int64_t at, int value = 0,
                   absl::StatusCode code = absl::StatusCode::kOk) {
    End end;
    end.kind = kind;
    end.at_ns = at;
    end.value = value;
    end.code = code;
    return end;
  }
  static bool is_cut(const End& end) { return end.kind == End::Kind::kCut; }
  static bool is_error(const End& end) { return end.kind == End::Kind::kError; }
  static std::int64_t last(const std::vector<End>& ends) {
    std::int64_t at = 0;
    for (const End& end : ends) at = std::max(at, end.at_ns);
    return at;
  }

  End node(int index, std::int64_t start, std::int64_t cut) {
    const Node& node = program_.nodes[static_cast<std::size_t>(index)];
    switch (node.kind) {
      case Kind::kValue:
      case Kind::kFail:
        return leaf(index, node, start, cut);
      case Kind::kSeq:
        return seq(node, start, cut);
      case Kind::kGather:
        return gather(node, start, cut);
      case Kind::kSettled:
        return settled(node, start, cut);
      case Kind::kRace:
        return race(node, start, cut);
      case Kind::kTimeout:
        return timeout(node, start, cut);
      case Kind::kScope: {
        const End end = body(node.kids[0], start, std::min(cut, start + node.delay_ns));
        return is_cut(end) ? ended(End::Kind::kValue, end.at_ns, 5000) : end;
      }
      case Kind::kShield:
        return this->node(node.kids[0], start, kNever);
      case Kind::kGroup:
        return group(index, node, start, cut);
      case Kind::kForEach:
        return for_each(node, start, cut);
    }
    return End();
  }

  End leaf(int index, const Node& node, std::int64_t start, std::int64_t cut) {
    const std::int64_t end = start + node.delay_ns;
    if (end == cut) ambiguous_ = true;
    if (cut < end) {
      log_.emplace_back(std::max(start, cut), index, 'x', 0);
      return ended(End::Kind::kCut, std::max(start, cut));
    }
    log_.emplace_back(end, index, 'v', node.value);
    if (node.kind == Kind::kFail) return ended(End::Kind::kError, end, 0, node.code);
    return ended(End::Kind::kValue, end, node.value);
  }

  End seq(const Node& node, std::int64_t start, std::int64_t cut) {
    End sum = ended(End::Kind::kValue, start);
    for (const int kid : node.kids) {
      const End end = this->node(kid, sum.at_ns, cut);
      if (end.kind != End::Kind::kValue) return end;
      sum.at_ns = end.at_ns;
      sum.value += end.value;
    }
    return sum;
  }

  // All kids begun at `start`, kid i cancelled at cuts[i]. Forgets what they log.
  std::vector<End> try_kids(const Node& node, std::int64_t start, const Times& cuts) {
    const std::size_t before = log_.size();
    std::vector<End> ends = kids(node, start, cuts);
    log_.resize(before);
    return ends;
  }
  std::vector<End> kids(const Node& node, std::int64_t start, const Times& cuts) {
    std::vector<End> ends;
    for (std::size_t i = 0; i < node.kids.size(); ++i) {
      ends.push_back(body(node.kids[i], start, cuts[i]));
    }
    return ends;
  }

  // The first of those for which `wanted`; -1 if there is none.
  template <class F>
  int first(const std::vector<End>& ends, F wanted) {
    int best = -1;
    for (std::size_t i = 0; i < ends.size(); ++i) {
      if (!wanted(ends[i])) continue;
      if (best >= 0 && ends[i].at_ns == ends[static_cast<std::size_t>(best)].at_ns) {
        ambiguous_ = true;
      }
      if (best < 0 || ends[i].at_ns < ends[static_cast<std::size_t>(best)].at_ns) {
        best = static_cast<int>(i);
      }
    }
    return best;
  }
  // Everybody but `but` is cancelled at `at`, if not before.
  static void cut_others(Times& cuts, int but, std::int64_t at) {
    for (std::size_t i = 0; i < cuts.size(); ++i) {
      if (static_cast<int>(i) != but) cuts[i] = std::min(cuts[i], at);
    }
  }

  End gather(const Node& node, std::int64_t start, std::int64_t cut) {
    Times cuts(node.kids.size(), cut);
    const std::vector<End> free = try_kids(node, start, cuts);
    const int failed = first(free, is_error);
    if (failed >= 0) cut_others(cuts, failed, free[static_cast<std::size_t>(failed)].at_ns);
    const std::vector<End> ends = kids(node, start, cuts);
    End result = ended(End::Kind::kValue, last(ends));
    if (failed >= 0) {
      result.kind = End::Kind::kError;
      result.code = ends[static_cast<std::size_t>(failed)].code;
      return result;
    }
    for (const End& end : ends) {
      if (is_cut(end)) result.kind = End::Kind::kCut;
      result.value += end.value;
    }
    if (is_cut(result)) result.value = 0;
    return result;
  }

  End settled(const Node& node, std::int64_t start, std::int64_t cut) {
    const std::vector<End> ends = kids(node, start, Times(node.kids.size(), cut));
    End result = ended(End::Kind::kValue, last(ends));
    for (const End& end : ends) {
      result.value += is_cut(end)     ? 1000
                      : is_error(end) ? 100 + static_cast<int>(end.code)
                                      : end.value;
    }
    return result;
  }

  End race(const Node& node, std::int64_t start, std::int64_t cut) {
    Times cuts(node.kids.size(), cut);
    const std::vector<End> free = try_kids(node, start, cuts);
    const int winner = first(free, [](const End& end) { return !is_cut(end); });
    if (winner >= 0) cut_others(cuts, winner, free[static_cast<std::size_t>(winner)].at_ns);
    const std::vector<End> ends = kids(node, start, cuts);
    End result = ended(End::Kind::kCut, start);
    if (winner >= 0) result = ends[static_cast<std::size_t>(winner)];
    result.at_ns = last(ends);
    return result;
  }

  End timeout(const Node& node, std::int64_t start, std::int64_t cut) {
    const End end = body(node.kids[0], start, std::min(cut, start + node.delay_ns));
    if (!is_cut(end) || cut <= end.at_ns) return end;
    return ended(End::Kind::kError, end.at_ns, 0, absl::StatusCode::kDeadlineExceeded);
  }

  End group(int index, const Node& node, std::int64_t start, std::int64_t cut) {
    if (cut <= start) return ended(End::Kind::kCut, start);
    const std::int64_t acts = start + node.delay_ns;
    Times cuts(node.kids.size(), cut);
    std::vector<End> free = try_kids(node, start, cuts);
    int failed = first(free, is_error);
    std::int64_t body_cut = cut;
    if (failed >= 0) body_cut = std::min(cut, free[static_cast<std::size_t>(failed)].at_ns);
    const bool acted = acts < body_cut;
    const bool body_failed = acted && node.action == Action::kFail;
    if (acted && node.action == Action::kCancelChild) cuts[0] = std::min(cuts[0], acts);
    if (acted && (node.action == Action::kCancelGroup || body_failed)) cut_others(cuts, -1, acts);
    free = try_kids(node, start, cuts);
    failed = first(free, is_error);
    if (failed >= 0) cut_others(cuts, failed, free[static_cast<std::size_t>(failed)].at_ns);
    const std::vector<End> ends = kids(node, start, cuts);
    log_kids(node, ends);
    const std::int64_t at = std::max(last(ends), acted ? acts : body_cut);
    log_.emplace_back(acted ? acts : at, index, acted ? 'b' : 'x', 0);  // the body unwinds last
    if (body_failed) return ended(End::Kind::kError, at, 0, node.code);
    if (failed >= 0) {
      return ended(End::Kind::kError, at, 0, ends[static_cast<std::size_t>(failed)].code);
    }
    bool interrupted = !acted && body_cut == cut;
    for (std::size_t i = 0; i < ends.size(); ++i) {
      if (is_cut(ends[i]) && cuts[i] == cut) interrupted = true;
    }
    return interrupted ? ended(End::Kind::kCut, at) : ended(End::Kind::kValue, at, 1);
  }
  void log_kids(const Node& node, const std::vector<End>& ends) {
    for (std::size_t i = 0; i < ends.size(); ++i) {
      if (ends[i].kind != End::Kind::kValue) continue;
      log_.emplace_back(ends[i].at_ns, node.kids[i], 'k', ends[i].value);
    }
  }

  // The items in order, each to the worker that is free first. Stops at the first failure, before
  // `stop`; the item `but` is the one that failed.
  std::vector<End> items(const Node& node, std::int64_t start, std::int64_t cut, std::int64_t stop,
                         int but) {
    std::vector<End> ends;
    std::priority_queue<std::int64_t, Times, std::greater<>> free;
    for (int i = 0; i < node.value; ++i) free.push(start);
    for (std::size_t i = 0; i < node.kids.size(); ++i) {
      if (free.empty()) break;
      const std::int64_t begins = free.top();
      if (begins >= std::min(cut, stop)) break;
      free.pop();
      const bool is_failed = static_cast<int>(i) == but;
      ends.push_back(this->node(node.kids[i], begins, is_failed ? cut : std::min(cut, stop)));
      const End& end = ends.back();
      if (end.kind == End::Kind::kValue) free.push(end.at_ns);
    }
    return ends;
  }
  End for_each(const Node& node, std::int64_t start, std::int64_t cut) {
    if (cut <= start) return ended(End::Kind::kCut, start);
    const std::size_t before = log_.size();
    // Before it is known who fails first, nobody is cancelled for it.
    std::vector<End> ends = items(node, start, cut, kNever, -2);
    log_.resize(before);
    const int failed = first(ends, is_error);
    const std::int64_t stop = failed >= 0 ? ends[static_cast<std::size_t>(failed)].at_ns : kNever;
    ends = items(node, start, cut, stop, failed);
    const std::int64_t at = std::max(start, last(ends));
    if (failed >= 0) {
      return ended(End::Kind::kError, at, 0, ends[static_cast<std::size_t>(failed)].code);
    }
    bool whole = ends.size() == node.kids.size();
    for (const End& end : ends) whole = whole && !is_cut(end);
    return whole ? ended(End::Kind::kValue, at, 1) : ended(End::Kind::kCut, at);
  }

  const Program& program_;
  std::vector<LogEntry> log_;
  bool ambiguous_ = false;
};

}  // namespace

bool predict(const Program& program, Result& result) {
  Model model(program);
  result.end = model.body(program.root(), 0, program.cancel_ns == 0 ? kNever : program.cancel_ns);
  result.log = model.take_log();
  std::sort(result.log.begin(), result.log.end());
  return !model.ambiguous();
}

}  // namespace fermata
