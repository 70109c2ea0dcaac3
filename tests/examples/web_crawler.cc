#include "tests/examples/web_crawler.h"

#include <functional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/async/net/buffered_reader.h"

namespace fermata::examples {
namespace {

struct Crawl {
  explicit Crawl(CrawlLimits limits) : limits(limits), fetches(limits.at_once) {}
  Semaphore& host(const std::string& name) {
    return hosts.try_emplace(name, limits.per_host).first->second;
  }
  const CrawlLimits limits;
  Semaphore fetches;
  std::map<std::string, Semaphore> hosts;
  std::set<std::string> seen;
  LinkGraph graph;
};

struct Url {
  std::string host, path;
};

absl::StatusOr<Url> parse(const std::string& url) {
  const std::string scheme = "http://";
  const std::size_t slash = url.find('/', scheme.size());
  if (!absl::StartsWith(url, scheme) || slash == std::string::npos) {
    return absl::InvalidArgumentError("expected http://<address>/<path>; got " + url);
  }
  return Url{url.substr(scheme.size(), slash - scheme.size()), url.substr(slash)};
}

std::vector<std::string> links_in(const std::string& page) {
  std::vector<std::string> links;
  const std::string mark = "href=\"";
  for (std::size_t at = page.find(mark); at != std::string::npos; at = page.find(mark, at)) {
    at += mark.size();
    links.push_back(page.substr(at, page.find('"', at) - at));
  }
  return links;
}

// The page, or why not. Unavailable and DeadlineExceeded may pass if one tries again.
Co<absl::StatusOr<std::string>> fetch(const Url& url, std::size_t limit) {
  absl::StatusOr<Address> address = Address::parse(url.host);
  if (!address.ok()) co_return address.status();
  Stream stream = co_await Try(connect(*address));
  const std::string request = absl::StrCat("GET ", url.path, " HTTP/1.1\r\nHost: ", url.host,
                                           "\r\nConnection: close\r\n\r\n");
  co_await Try(stream.write(request));
  BufferedReader reader(stream);
  std::string status = co_await Try(reader.read_line());
  std::string rest = co_await Try(reader.read_all(limit));
  const std::size_t body = rest.find("\r\n\r\n");
  if (absl::StrContains(status, " 404 ")) co_return absl::NotFoundError(url.path);
  if (!absl::StartsWith(status, "HTTP/1.1 200 ") || body == std::string::npos) {
    co_return absl::InternalError("expected a page; got: " + status);
  }
  co_return rest.substr(body + 4);
}

bool worth_another_attempt(const absl::Status& status) {
  // OutOfRange and DataLoss: the server hung up in the middle.
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) ||
         absl::IsOutOfRange(status) || absl::IsDataLoss(status);
}

Co<absl::StatusOr<std::string>> fetch_patiently(Crawl& crawl, const Url& url) {
  const CrawlLimits& limits = crawl.limits;
  absl::Duration pause = limits.first_pause;
  for (int attempt = 1;; ++attempt) {
    absl::StatusOr<std::string> page = co_await timeout(limits.timeout, fetch(url, limits.page));
    if (page.ok() || attempt == limits.attempts || !worth_another_attempt(page.status())) {
      co_return page;
    }
    co_await sleep(pause);
    pause *= 2;
  }
}

void follow(TaskGroup& group, Crawl& crawl, const std::string& url);

Co<void> visit(TaskGroup& group, Crawl& crawl, std::string text) {
  absl::StatusOr<Url> url = parse(text);
  absl::StatusOr<std::string> page;
  if (!url.ok()) {
    page = url.status();
  } else {
    // The host's place first: who waits for a busy host must not hold up the others.
    Semaphore::Permit at_host = co_await crawl.host(url->host).acquire();
    Semaphore::Permit at_all = co_await crawl.fetches.acquire();
    page = co_await fetch_patiently(crawl, *url);
  }
  if (!page.ok()) {
    crawl.graph.failures[text] = page.status();
    co_return;
  }
  const std::vector<std::string> links = links_in(*page);
  crawl.graph.links[text] = links;
  for (const std::string& link : links) follow(group, crawl, link);
}

void follow(TaskGroup& group, Crawl& crawl, const std::string& url) {
  if (crawl.seen.size() >= crawl.limits.pages || !crawl.seen.insert(url).second) return;
  group.spawn_named("visit", visit, std::ref(group), std::ref(crawl), url);
}

Co<void> begin(TaskGroup& group, Crawl& crawl, const std::string& start) {
  follow(group, crawl, start);
  co_return;
}

}  // namespace

Co<LinkGraph> crawl(std::string start, CrawlLimits limits) {
  Crawl crawl(limits);
  (void)co_await with_group(begin, crawl, start);  // a page that fails is noted, not an error
  co_return std::move(crawl.graph);
}

}  // namespace fermata::examples
