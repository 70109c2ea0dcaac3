// ProcessStats: plain numbers of one plugin's own processes, for metrics. All versions of a plugin
// count into one, so a reload resets none. Loop thread only.
#ifndef SERVICES_STAGES_PROCESS_STATS_H_
#define SERVICES_STAGES_PROCESS_STATS_H_

#include <cstdint>
#include <map>
#include <string>

namespace fermata {

struct ProcessStats {
  uint64_t starts = 0;                      // processes started, the first one too
  uint64_t restarts = 0;                    // of these, after one that died
  std::map<std::string, uint64_t> crashes;  // by signal, or "exit", "hang", "protocol", "cancel"
  uint64_t running = 0;                     // processes now
  uint64_t breaker_open = 0;                // versions whose breaker is open now
};

}  // namespace fermata

#endif  // SERVICES_STAGES_PROCESS_STATS_H_
