// web_crawler <url>: prints who links to whom.
#include <iostream>

#include "services/async/process/run_until_signal.h"
#include "tests/examples/web_crawler.h"

namespace fermata::examples {

Co<absl::Status> crawler_main(std::string start) {
  LinkGraph graph = co_await crawl(start, CrawlLimits());
  for (const auto& [page, links] : graph.links) {
    for (const std::string& link : links) std::cout << page << " -> " << link << "\n";
  }
  for (const auto& [page, why] : graph.failures) std::cout << page << ": " << why << "\n";
  co_return absl::OkStatus();
}

}  // namespace fermata::examples

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: web_crawler http://<address>/<path>\n";
    return 2;
  }
  const std::string start = argv[1];
  return fermata::run_until_signal(fermata::examples::crawler_main, start).ok() ? 0 : 1;
}
