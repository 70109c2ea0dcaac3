// The crawler, on a site that the example API server serves.
#include "tests/examples/web_crawler.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "services/async/net/buffered_reader.h"
#include "tests/async/net/net_testing.h"
#include "tests/examples/http_api_server.h"

namespace fermata::examples {
namespace {

constexpr int kPages = 30;

// Page i links to 2i and 2i+1, to page 0, and the last one to a page that is not there.
std::vector<int> links_of(int page) {
  std::vector<int> links = {0};
  for (const int next : {2 * page, 2 * page + 1}) {
    if (next > page && next < kPages) links.push_back(next);
  }
  if (page == 0) links.push_back(1);
  if (page == kPages - 1) links.push_back(404);
  return links;
}

std::string url_of(const Address& site, int page) {
  return absl::StrCat("http://", site.to_string(), "/items/", page);
}

Co<absl::Status> put_pages(const Address& site) {
  Stream stream = co_await Try(connect(site));
  BufferedReader reader(stream);
  for (int page = 0; page < kPages; ++page) {
    std::string body;
    for (const int link : links_of(page)) {
      absl::StrAppend(&body, "<a href=\"", url_of(site, link), "\">", link, "</a>");
    }
    const std::string request = absl::StrCat(
        "PUT /items/", page, " HTTP/1.1\r\nContent-Length: ", body.size(), "\r\n\r\n", body);
    co_await Try(stream.write(request));
    co_await Try(reader.read_until("\r\n\r\n"));
  }
  co_return absl::OkStatus();
}

void expect_whole_graph(const LinkGraph& graph, const Address& site) {
  EXPECT_EQ(graph.links.size(), static_cast<std::size_t>(kPages));
  for (int page = 0; page < kPages; ++page) {
    std::vector<std::string> expected;
    for (const int link : links_of(page)) expected.push_back(url_of(site, link));
    const auto found = graph.links.find(url_of(site, page));
    EXPECT_TRUE(found != graph.links.end() && found->second == expected) << "page " << page;
  }
  EXPECT_EQ(graph.failures.size(), 1u);
  const auto missing = graph.failures.find(url_of(site, 404));
  EXPECT_TRUE(missing != graph.failures.end() && absl::IsNotFound(missing->second));
}

template <class F>
Co<absl::Status> with_site(F visitor) {
  absl::StatusOr<Listener> listener = listen(Address::loopback());
  if (!listener.ok()) co_return listener.status();
  Event drain;
  co_return co_await with_group(
      [](TaskGroup& group, Listener& listener, Event& drain, F& visitor) -> Co<absl::Status> {
        group.spawn(serve_api, std::ref(listener), std::ref(drain), ApiLimits());
        co_await Try(put_pages(listener.local()));
        co_await Try(visitor(listener.local()));
        group.cancel();
        co_return absl::OkStatus();
      },
      *listener, drain, visitor);
}

Co<absl::Status> crawl_all(Address site) {
  LinkGraph graph = co_await crawl(url_of(site, 0), CrawlLimits());
  expect_whole_graph(graph, site);
  co_return absl::OkStatus();
}

TEST(WebCrawler, FindsEveryPageOnceAndNotesTheOneThatIsMissing) {
  on_every_network([]() -> Co<absl::Status> { co_return co_await with_site(crawl_all); });
}

// Connections are refused and broken; patience finds every page all the same.
Co<absl::Status> crawl_in_trouble(Address site) {
  SimFaults trouble;
  trouble.refuse = 0.1;
  trouble.reset = 0.05;
  trouble.stall = 0.02;
  static_cast<SimNetwork*>(Loop::current().network)->set_faults(trouble);
  CrawlLimits limits;
  limits.attempts = 20;
  LinkGraph graph = co_await crawl(url_of(site, 0), limits);
  expect_whole_graph(graph, site);
  co_return absl::OkStatus();
}

TEST(WebCrawler, TriesAgainWhenConnectionsAreRefusedAndBroken) {
  for (std::uint64_t seed = 0; seed < 2 * kSeeds; ++seed) {
    on_sim_network(seed, SimFaults(),
                   []() -> Co<absl::Status> { co_return co_await with_site(crawl_in_trouble); });
  }
}

Co<absl::Status> crawl_a_part(Address site) {
  CrawlLimits limits;
  limits.pages = 7;
  limits.per_host = 1;
  LinkGraph graph = co_await crawl(url_of(site, 0), limits);
  EXPECT_EQ(graph.links.size(), 7u);
  // What leads nowhere is noted too.
  for (const char* url : {"ftp://x/", "http://nowhere", "http://no-address/x"}) {
    LinkGraph nothing = co_await crawl(url, limits);
    EXPECT_EQ(nothing.failures.size(), 1u) << url;
  }
  co_return absl::OkStatus();
}

TEST(WebCrawler, StopsAtItsLimit) {
  on_every_network([]() -> Co<absl::Status> { co_return co_await with_site(crawl_a_part); });
}

}  // namespace
}  // namespace fermata::examples
