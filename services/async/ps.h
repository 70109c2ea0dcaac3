// ps and pstree: which tasks there are, and what each of them waits for. Python 3.14's names.
//
//   main                    serve:41 < with_group:118
//   ├─ conn #7              read_request:88 < handle:23
//   └─ conn #9 (cancelling) sleep_backoff:12 < handle:31
//
// "waits at" is innermost first: function:line < its caller:line < …, down to the task's own
// function. Nothing is recorded for this: frames carry their function and line, and the joins of a
// loop are linked. Loop thread only; from another thread, post() a callback that calls it.
#ifndef SERVICES_ASYNC_PS_H_
#define SERVICES_ASYNC_PS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "services/async/loop.h"

namespace fermata {

struct TaskInfo {
  std::uint64_t id = 0;
  std::uint64_t parent = 0;  // 0: the root group, or a group of the loop's owner
  std::string name;
  std::string state;   // "ready" (it, or a body it runs, has its turn or waits for it), "waiting",
                       // "cancelling"
  std::string where;   // where it waits, innermost first; of branches of a gather, all
  absl::Duration cpu;  // that its steps took so far; measured in checked builds, else zero
};

std::vector<TaskInfo> ps(const Loop& loop);
std::string pstree(const Loop& loop);
// Of these, the tasks that were cancelled and have not ended; below `scope`, if one is given.
std::vector<TaskInfo> lingering(const Loop& loop, const Scope* scope = nullptr);

}  // namespace fermata

#endif  // SERVICES_ASYNC_PS_H_
