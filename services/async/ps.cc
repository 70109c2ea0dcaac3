#include "services/async/ps.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/async/join.h"
#include "services/async/promise_base.h"
#include "services/async/scope.h"
#include "services/async/task.h"

namespace fermata {
namespace {

// The frames from `frame` up to the root of its scope.
std::string frames_from(FrameHandle frame) {
  const Scope* scope = frame.promise().scope;
  std::string text;
  while (frame != nullptr && frame.promise().scope == scope) {
    const PromiseBase& promise = frame.promise();
    absl::StrAppend(&text, text.empty() ? "" : " < ", promise.function, ":", promise.line);
    const Completion* completion = promise.continuation.completion();
    const std::coroutine_handle<> next =
        completion != nullptr ? completion->awaiting() : promise.continuation.frame();
    if (completion == scope) break;
    frame = FrameHandle::from_address(next.address());
  }
  return text;
}

void append_waits(const Scope& scope, std::string& text) {
  if (scope.at() == nullptr) return;
  // Bodies of a gather or timeout below this frame say more than the frame itself.
  if (const Join* join = Join::from(scope.at())) {
    for (const Branch* b = join->first_branch(); b != nullptr; b = b->next()) {
      if (b->as_task() == nullptr) append_waits(*b, text);
    }
  }
  absl::StrAppend(&text, text.empty() ? "" : " < ", frames_from(scope.at()->frame()));
}

// Whether something of it runs, or waits for its turn: it itself, or a body that it runs.
bool has_turn(const Scope& scope) {
  if (scope.at() == nullptr) return true;
  const Join* join = Join::from(scope.at());
  if (join == nullptr) return false;
  for (const Branch* b = join->first_branch(); b != nullptr; b = b->next()) {
    if (b->as_task() == nullptr && has_turn(*b)) return true;
  }
  return false;
}

TaskInfo describe(const TaskBase& task) {
  TaskInfo info;
  info.id = task.id();
  const TaskBase* parent = task_of(task.join()->outer());
  info.parent = parent != nullptr ? parent->id() : 0;
  info.name = std::string(task.name());
  info.cpu = absl::Nanoseconds(task.cpu_time().ns());
  info.state = task.requested() ? "cancelling" : has_turn(task) ? "ready" : "waiting";
  append_waits(task, info.where);
  return info;
}

using Children = std::map<std::uint64_t, std::vector<const TaskInfo*>>;

void draw(const Children& children, std::uint64_t parent, const std::string& indent,
          std::string& text) {
  const auto found = children.find(parent);
  if (found == children.end()) return;
  for (const TaskInfo* task : found->second) {
    const bool last = task == found->second.back();
    absl::StrAppend(&text, indent,
                    parent == 0 ? ""
                    : last      ? "└─ "
                                : "├─ ",
                    task->name, " #", task->id,
                    task->state == "waiting" ? "" : absl::StrCat(" (", task->state, ")"),
                    task->where.empty() ? "" : "  ", task->where, "\n");
    draw(children, task->id, absl::StrCat(indent, parent == 0 ? "" : last ? "   " : "│  "), text);
  }
}

bool is_below(const TaskBase& task, const Scope& scope) {
  for (const Scope* at = &task; at != nullptr;
       at = static_cast<const Branch*>(at)->join()->outer()) {
    if (at == &scope) return true;
  }
  return false;
}

template <class Wanted>
std::vector<TaskInfo> tasks_that(const Loop& loop, Wanted wanted) {
  std::vector<TaskInfo> tasks;
  for (const Join* join = loop.first_join; join != nullptr; join = join->next_join()) {
    for (const Branch* branch = join->first_branch(); branch != nullptr; branch = branch->next()) {
      const TaskBase* task = branch->as_task();
      if (task != nullptr && wanted(*task)) tasks.push_back(describe(*task));
    }
  }
  std::sort(tasks.begin(), tasks.end(),
            [](const TaskInfo& a, const TaskInfo& b) { return a.id < b.id; });
  return tasks;
}

}  // namespace

std::vector<TaskInfo> ps(const Loop& loop) {
  return tasks_that(loop, [](const TaskBase&) { return true; });
}

std::vector<TaskInfo> lingering(const Loop& loop, const Scope* scope) {
  std::vector<TaskInfo> tasks = tasks_that(loop, [scope](const TaskBase& task) {
    return task.requested() && (scope == nullptr || is_below(task, *scope));
  });
  // The body of the scope itself is not a task, but part of one.
  const TaskBase* around = scope != nullptr ? task_of(scope) : nullptr;
  if (around == nullptr || around == scope) return tasks;
  TaskInfo body = describe(*around);
  body.state = "cancelling";
  body.where.clear();
  append_waits(*scope, body.where);
  tasks.insert(tasks.begin(), std::move(body));
  return tasks;
}

std::string pstree(const Loop& loop) {
  const std::vector<TaskInfo> tasks = ps(loop);
  Children children;
  for (const TaskInfo& task : tasks) children[task.parent].push_back(&task);
  std::string text;
  draw(children, 0, "", text);
  return text;
}

}  // namespace fermata
