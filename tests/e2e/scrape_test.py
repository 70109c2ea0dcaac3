"""The web-scraping scenario: fan out over hundreds of pages, dead ones among them, and gather."""
import json
import socket
import unittest

from harness import Daemon, WebServer, jobs_pb2, main

SCRAPE = """
pipeline: scrape
input: { type: object, required: [urls] }
stages:
  fetch:
    use: http/get
    each: ${/input/urls}
    with: { url: "${/item}" }
    parallel: 64
    gather: settled
    retry: { attempts: 2, initial: 1ms, max: 5ms }
    timeout: 20s
  links:
    use: html/select
    with: { html: "${/stages/fetch/*/body}", xpath: "//a/@href" }
result: { pages: "${/stages/fetch/*/url}", links: "${/stages/links}", fetched: "${/stages/fetch}" }
"""
PAGES = 240


def page(number):
    links = "".join('<a href="/page/%d">n</a>' % n for n in range(number % 7))
    return ("<html><head><title>%d</title></head><body><p>unclosed %s</body>" % (number, links)).encode()


def closed_port():
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Scrape(unittest.TestCase):
    def test_hundreds_of_pages_gather_and_dead_ones_are_settled_errors(self):
        pages = {"/page/%d" % n: page(n) for n in range(PAGES)}
        with Daemon(pipelines={"scrape": SCRAPE}) as daemon, WebServer(pages, together=64) as web:
            urls = [web.url(path) for path in pages]
            dead = {
                10: web.url("/missing"),
                50: "http://127.0.0.1:%d/" % closed_port(),
                90: web.url("/status/500"),
                130: "http://127.0.0.1:1/",
            }
            for at, url in sorted(dead.items()):
                urls.insert(at, url)
            ended = daemon.jobs.Run(jobs_pb2.RunJobRequest(job=jobs_pb2.Job(
                pipeline="scrape", input=json.dumps({"urls": urls}).encode())))
            self.assertEqual(ended.state, jobs_pb2.Job.SUCCEEDED, ended.error.message)
            result = json.loads(ended.result)
            self.check_result(urls, dead, result)
            fetch = ended.stages[0]
            self.assertEqual((fetch.total, fetch.done, fetch.failed),
                             (len(urls), len(urls), len(dead)))
            # Fewer would have waited for ever at the server, more would break `parallel`.
            self.assertEqual(web.most_at_once, 64)
            print("%d pages fetched, at most %d at once" % (PAGES, web.most_at_once))

    def check_result(self, urls, dead, result):
        fetched = result["fetched"]
        self.assertEqual(len(fetched), len(urls))
        good = 0
        for at, item in enumerate(fetched):
            if at in dead:
                self.assertIn("error", item, "%s must have failed" % urls[at])
                self.assertTrue(item["error"]["message"])
                self.assertEqual(result["links"][at] or [], [])
                continue
            good += 1
            self.assertEqual((item["status"], item["url"]), (200, urls[at]), "in input order")
            number = int(urls[at].rpartition("/")[2])
            self.assertEqual(result["links"][at], ["/page/%d" % n for n in range(number % 7)])
        self.assertEqual(good, PAGES)


if __name__ == "__main__":
    main()
