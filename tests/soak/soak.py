"""Load on a real daemon, for as long as one likes: what it holds stays the same, and every job is
accounted for."""
import json
import subprocess
import threading
import time

import grpc

from harness import Daemon, built, jobs_pb2
from harness.stubs import jobs_pb2_grpc
from samples import growths, sample

CONFIG = """store: { directory: store }
retention: { jobs: 20000 }
"""
STAGE, INPUT = "time/delay", '{"for":"2ms","value":{"kept":"as it is"}}'
PEAK_SECONDS = 8
PERIOD_SECONDS = 1
AS_FAST_AS_IT_GOES = 1000000
OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1)]


class Load:
    """tests/e2e/load: one stage, over and over, `rate` times a second."""

    def __init__(self, daemon, rate):
        self._process = subprocess.Popen(
            [built("tests/e2e/load/job_load"), daemon.address, STAGE, INPUT, "%f" % rate],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")

    def stop(self):
        out, _ = self._process.communicate()
        return json.loads(out)


class Visitors(threading.Thread):
    """A client that connects anew for each job: it watches one, cancels one, leaves one alone."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self._address = daemon.address
        self._ending = threading.Event()
        self.jobs = 0
        self.errors = []

    def run(self):
        while not self._ending.is_set() and not self.errors:
            try:
                with grpc.insecure_channel(self._address, options=OWN_CONNECTION) as channel:
                    self._visit(jobs_pb2_grpc.JobsStub(channel))
            except Exception as error:  # pylint: disable=broad-except
                self.errors.append(repr(error))

    def _visit(self, jobs):
        watched, cancelled, left = [jobs.Submit(jobs_pb2.SubmitJobRequest(job=jobs_pb2.Job(
            stage=STAGE, input=b'{"for":"%s","value":"%s"}' % (delay, b"x" * 10000))))
            for delay in (b"5ms", b"1h", b"1ms")]
        self.jobs += 3
        last = [event for event in jobs.Watch(jobs_pb2.WatchJobRequest(name=watched.name))][-1]
        self._expect(last.job, jobs_pb2.Job.SUCCEEDED)
        jobs.Cancel(jobs_pb2.CancelJobRequest(name=cancelled.name))
        self._expect(jobs.Wait(jobs_pb2.WaitJobRequest(name=cancelled.name)), jobs_pb2.Job.CANCELLED)
        self._expect(jobs.Wait(jobs_pb2.WaitJobRequest(name=left.name)), jobs_pb2.Job.SUCCEEDED)

    def _expect(self, job, state):
        if job.state != state:
            self.errors.append("%s ended as %d, expected %d" % (job.name, job.state, state))

    def stop(self):
        self._ending.set()
        self.join()


class Report:
    """How a soak went; `problems` are sentences, none when all is well."""

    def __init__(self):
        self.peak = self.rate = 0.0
        self.jobs = 0
        self.samples = []
        self.problems = []


def total(metrics, family):
    return sum(value for key, value in metrics.items() if key.split("{")[0] == family)


def account(report, loads, visitors, metrics):
    """Every job that a client sent was taken once and has ended, as the server counts them too."""
    for load in loads:
        for trouble in ("failed", "lost"):
            if load[trouble]:
                report.problems.append("%d jobs %s: %s" % (load[trouble], trouble, load["first_trouble"]))
    report.jobs = sum(load["sent"] for load in loads) + visitors.jobs
    for family in ("fermata_jobs_submitted_total", "fermata_jobs_finished_total"):
        if total(metrics, family) != report.jobs:
            report.problems.append("expected %d in %s, got %d" % (report.jobs, family, total(metrics, family)))
    if total(metrics, "fermata_jobs") != 0:
        report.problems.append("%d jobs have not ended" % total(metrics, "fermata_jobs"))
    report.problems += visitors.errors


def run_soak(seconds, peak_seconds=PEAK_SECONDS, config="", progress=lambda sample: None):
    """First as fast as it goes, for a little; then at half of that, for `seconds`."""
    report = Report()
    with Daemon(plugins=["time"], config=CONFIG + config) as daemon:
        load = Load(daemon, AS_FAST_AS_IT_GOES)
        threading.Event().wait(peak_seconds)
        loads = [load.stop()]
        report.peak = loads[0]["rate"]
        visitors = Visitors(daemon)
        visitors.start()
        load = Load(daemon, report.peak / 2)
        begin = time.monotonic()
        while time.monotonic() - begin < seconds:
            report.samples.append(sample(daemon.process.pid, time.monotonic() - begin))
            progress(report.samples[-1])
            threading.Event().wait(PERIOD_SECONDS)
        loads.append(load.stop())
        visitors.stop()
        report.rate = loads[1]["rate"]
        account(report, loads, visitors, daemon.metrics())
    report.problems += growths(report.samples)
    return report
