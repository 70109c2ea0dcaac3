// A web crawler: follows the links of pages, and gives the graph of who links to whom.
#ifndef TESTS_EXAMPLES_WEB_CRAWLER_H_
#define TESTS_EXAMPLES_WEB_CRAWLER_H_

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "services/async/async.h"
#include "services/async/net/network.h"

namespace fermata::examples {

struct CrawlLimits {
  CrawlLimits() {}
  std::size_t pages = 1000;    // links to more are noted, and not followed
  std::size_t at_once = 32;    // fetches
  std::size_t per_host = 4;    // of these, from one host
  std::size_t page = 1 << 20;  // bytes
  int attempts = 4;
  absl::Duration timeout = absl::Seconds(5);             // of one attempt
  absl::Duration first_pause = absl::Milliseconds(100);  // before the second; then doubled
};

struct LinkGraph {
  std::map<std::string, std::vector<std::string>> links;  // by URL, in the order of the page
  std::map<std::string, absl::Status> failures;           // pages that could not be had
};

// URLs are http://<address>/<path>, the address as in address.h.
Co<LinkGraph> crawl(std::string start, CrawlLimits limits);

}  // namespace fermata::examples

#endif  // TESTS_EXAMPLES_WEB_CRAWLER_H_
