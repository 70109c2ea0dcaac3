"""Real Prometheus on a daemon under load: every expression of every dashboard panel returns data."""
import json
import math
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse
import urllib.request

import grpc

from harness import Daemon, WebServer, built, jobs_pb2, main

PATIENCE_SECONDS = 120

BUSY = """
pipeline: busy
input: { type: object, required: [urls] }
stages:
  fetch:
    use: http/get
    each: ${/input/urls}
    with: { url: "${/item}" }
    gather: settled
    retry: { attempts: 2, initial: 1ms, max: 2ms }
  links:
    use: html/select
    with: { html: "${/stages/fetch/*/body}", xpath: "//a/@href" }
  save:
    use: file/write
    with: { path: links.txt, content: "${/stages/links}", mode: replace }
"""
FAILS = "pipeline: fails\nstages: { get: { use: json/pick, with: { value: {}, pointer: /missing } } }\n"


class Prometheus:
    """Debian's Prometheus with the configuration of deploy/, aimed at one daemon."""

    def __init__(self, target):
        self.folder = tempfile.mkdtemp(prefix="fermata-prometheus-")
        source = os.path.dirname(os.path.realpath(built("deploy/prometheus/prometheus.yml")))
        for name in os.listdir(source):
            with open(os.path.join(source, name), encoding="utf-8") as file:
                text = file.read()
            text = text.replace("127.0.0.1:9464", target).replace("_interval: 15s", "_interval: 1s")
            with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
                file.write(text)

    def __enter__(self):
        self.process = subprocess.Popen(
            ["prometheus", "--config.file", os.path.join(self.folder, "prometheus.yml"),
             "--web.listen-address=127.0.0.1:0", "--storage.tsdb.path",
             os.path.join(self.folder, "data")], stderr=subprocess.PIPE, text=True)
        log = []
        for line in self.process.stderr:
            log.append(line)
            found = re.search(r'msg="Listening on" address=(\S+)', line)
            if found:
                self.address = found.group(1)
            if "Server is ready to receive web requests" in line:
                break
        else:
            raise AssertionError("prometheus did not start:\n" + "".join(log))
        self._reader = threading.Thread(target=self.process.stderr.read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self._reader.join()
        self.process.stderr.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def get(self, path, **arguments):
        url = "http://%s/api/v1/%s?%s" % (self.address, path, urllib.parse.urlencode(arguments))
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError("%s: %s" % (arguments, error.read().decode())) from None

    def values(self, expression):
        return [float(series["value"][1]) for series in self.get("query", query=expression)["result"]]


class Load:
    """Keeps one daemon busy in every way that a panel shows, until it is left."""

    def __init__(self, daemon, web):
        self.daemon = daemon
        self.urls = [web.url(path) for path in ("/a", "/b", "/status/500", "/missing")]
        self.stop = threading.Event()
        self.failure = None

    def __enter__(self):
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()

    def _run(self):
        try:
            while not self.stop.is_set():
                self._round()
        except grpc.RpcError as error:
            self.failure = error

    def _round(self):
        jobs = self.daemon.jobs
        run = lambda **job: jobs.Run(jobs_pb2.RunJobRequest(job=jobs_pb2.Job(**job)))
        run(pipeline="busy", input=json.dumps({"urls": self.urls}).encode())
        run(pipeline="fails")
        sleeper = jobs.Submit(jobs_pb2.SubmitJobRequest(
            job=jobs_pb2.Job(stage="time/delay", input=b'{"for":"1h"}')))
        jobs.Cancel(jobs_pb2.CancelJobRequest(name=sleeper.name))
        for _ in jobs.Watch(jobs_pb2.WatchJobRequest(name=sleeper.name)):
            pass
        try:
            run(pipeline="none such")
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.NOT_FOUND:
                raise


def dashboard_expressions():
    """(panel title, expression with Grafana's variables filled in) of every target."""
    with open(built("deploy/grafana/dashboards/fermata.json"), encoding="utf-8") as file:
        dashboard = json.load(file)
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            filled = target["expr"].replace("$__rate_interval", "30s")
            yield panel["title"], re.sub(r"\$\w+", ".*", filled)


def dashboard_variables():
    with open(built("deploy/grafana/dashboards/fermata.json"), encoding="utf-8") as file:
        for variable in json.load(file)["templating"]["list"]:
            found = re.fullmatch(r"label_values\((.*), (\w+)\)", variable.get("definition", ""))
            if found:
                yield re.sub(r"\$\w+", ".*", found.group(1)), found.group(2)


class Metrics(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        pages = {"/a": b"<a href=x>x</a>", "/b": b"<p>none</p>"}
        cls.web = WebServer(pages).__enter__()
        cls.daemon = Daemon(pipelines={"busy": BUSY, "fails": FAILS},
                            config="store: { directory: store }\n").__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.daemon.close()
        cls.web.__exit__()

    def test_promtool_has_no_complaint_about_the_metrics(self):
        with Load(self.daemon, self.web) as load:
            load._round()  # pylint: disable=protected-access
        with urllib.request.urlopen(self.daemon.metrics_url, timeout=10) as answer:
            text = answer.read()
        self.assertGreater(len(text.splitlines()), 200)
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True,
                                 check=False)
        self.assertEqual((checked.returncode, checked.stderr.decode()), (0, ""))

    def test_no_label_carries_a_job_id(self):
        ended = self.daemon.jobs.Run(jobs_pb2.RunJobRequest(job=jobs_pb2.Job(pipeline="fails")))
        with urllib.request.urlopen(self.daemon.metrics_url, timeout=10) as answer:
            self.assertNotIn(ended.name.rpartition("/")[2], answer.read().decode())

    def test_promtool_has_no_complaint_about_the_configuration(self):
        checked = subprocess.run(
            ["promtool", "check", "config", built("deploy/prometheus/prometheus.yml")],
            capture_output=True, text=True, check=False)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)

    def test_every_panel_and_every_alert_has_data(self):
        target = urllib.parse.urlparse(self.daemon.metrics_url).netloc
        expressions = list(dashboard_expressions())
        self.assertGreater(len(expressions), 40)
        with Prometheus(target) as prometheus, Load(self.daemon, self.web) as load:
            self.wait_for_panels(prometheus, load, expressions)
            for selector, label in dashboard_variables():
                self.assertTrue(prometheus.get("label/%s/values" % label, **{"match[]": selector}))
            rules = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
            self.assertGreater(len(rules), 5)
            for rule in rules:
                self.assertNotEqual(rule["health"], "err", rule)
            for name in self.names_in_rules(rules):
                self.assertTrue(prometheus.values(name), "no series %s, which an alert names" % name)

    def wait_for_panels(self, prometheus, load, expressions):
        missing = expressions
        until = time.monotonic() + PATIENCE_SECONDS
        while missing and time.monotonic() < until:
            self.assertIsNone(load.failure)
            missing = [(title, expression) for title, expression in missing
                       if not [value for value in prometheus.values(expression)
                               if not math.isnan(value)]]
            load.stop.wait(0.5)  # for the next scrape
        self.assertEqual(missing, [], "panels without data")
        print("%d expressions of the dashboard returned data" % len(expressions))

    @staticmethod
    def names_in_rules(rules):
        text = " ".join(rule["query"] for rule in rules)
        return sorted(set(re.findall(r"\bfermata_\w+", text)))


if __name__ == "__main__":
    main()
