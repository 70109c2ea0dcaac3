#include "tests/bench/async/operations.h"

namespace fermata::bench {

Operations all_operations() {
  Operations all;
  for (const Operations& theme :
       {call_operations(), task_operations(), queue_operations(), sync_operations(),
        cancel_operations(), timer_operations(), loop_operations(), stream_operations()}) {
    all.insert(all.end(), theme.begin(), theme.end());
  }
  return all;
}

}  // namespace fermata::bench
