#include "services/metrics/scrape.h"

#include <utility>

namespace fermata {

Scrape::Scrape(Post post, absl::Duration wait, std::vector<Source> sources)
    : post_(std::move(post)), wait_(wait), shared_(std::make_shared<Shared>()) {
  shared_->sources = std::move(sources);
}

void Scrape::answer(Shared& shared) {
  {
    std::lock_guard<std::mutex> lock(shared.mutex);
    if (shared.stopped) return;
  }
  Families families;
  for (const Source& source : shared.sources) source(families);
  std::lock_guard<std::mutex> lock(shared.mutex);
  shared.families = families.take();
  shared.answered = shared.requested;
  shared.done.notify_all();
}

std::vector<prometheus::MetricFamily> Scrape::Collect() const {
  const std::shared_ptr<Shared> shared = shared_;
  std::unique_lock<std::mutex> lock(shared->mutex);
  if (!shared->stopped) {
    // At most one closure waits in the loop; scrapers that come meanwhile share its answer.
    const bool ask = shared->requested == shared->answered;
    const uint64_t mine = ask ? ++shared->requested : shared->requested;
    if (ask) {
      lock.unlock();
      post_([shared] { answer(*shared); });
      lock.lock();
    }
    const bool answered = shared->done.wait_for(lock, absl::ToChronoNanoseconds(wait_), [&] {
      return shared->answered >= mine || shared->stopped;
    });
    if (!answered) ++shared->timeouts;
  }
  const bool fresh = shared->answered == shared->requested && !shared->stopped;
  std::vector<prometheus::MetricFamily> out;
  if (fresh) out = shared->families;
  Families own;
  own.gauge("fermata_up", "1 while the event loop answers scrapes in time, else 0.", {},
            fresh ? 1 : 0);
  own.counter(
      "fermata_scrape_timeouts_total",
      "Scrapes answered without the event loop's numbers, because it did not answer in time.", {},
      static_cast<double>(shared->timeouts));
  for (prometheus::MetricFamily& family : own.take()) out.push_back(std::move(family));
  return out;
}

void Scrape::stop() {
  std::lock_guard<std::mutex> lock(shared_->mutex);
  shared_->stopped = true;
  shared_->sources.clear();
  shared_->done.notify_all();
}

}  // namespace fermata
