#include <algorithm>

#include "services/store/job_store.h"

namespace fermata {

bool JobFilter::matches(const JobSpec& spec, JobState state) const {
  if (!states.empty() && std::find(states.begin(), states.end(), state) == states.end()) {
    return false;
  }
  if (pipeline.has_value() && spec.pipeline != *pipeline) return false;
  if (stage.has_value() && spec.stage != *stage) return false;
  if (queue.has_value() && spec.queue != *queue) return false;
  for (const auto& [key, value] : labels) {
    const auto found = spec.labels.find(key);
    if (found == spec.labels.end() || found->second != value) return false;
  }
  return true;
}

}  // namespace fermata
