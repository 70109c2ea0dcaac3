#include <algorithm>
#include <utility>

#include "services/store/job_store.h"

namespace fermata {

JobPage merge_pages(JobPage live, JobPage stored, size_t page_size) {
  // Below a page's token nothing is known of its side; the higher token bounds what may be
  // answered.
  const std::string horizon = std::max(live.next_page_token, stored.next_page_token);
  JobPage page;
  size_t l = 0, s = 0;
  while (l < live.jobs.size() || s < stored.jobs.size()) {
    const bool from_live = s == stored.jobs.size() ||
                           (l < live.jobs.size() && live.jobs[l]->id() > stored.jobs[s]->id());
    // A job that ended between the two looks is in both: the stored record is the newer one.
    const bool both =
        !from_live && l < live.jobs.size() && live.jobs[l]->id() == stored.jobs[s]->id();
    JobView& job = from_live ? live.jobs[l++] : stored.jobs[s++];
    if (both) ++l;
    if (!horizon.empty() && job->id() < horizon) break;
    if (page.jobs.size() == page_size) {
      page.next_page_token = page.jobs.back()->id();
      return page;
    }
    page.jobs.push_back(std::move(job));
  }
  page.next_page_token = horizon;
  return page;
}

}  // namespace fermata
