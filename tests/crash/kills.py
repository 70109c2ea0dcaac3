"""Kills a daemon over and over, at moments drawn from a seed, and checks what is left.

A moment is a number of things that happened since the daemon answered again: requests that reached
the outside world, answers that reached clients. So a kill falls into submits, commits, stages, ends
and, with 0, into the recovery itself.
"""
import random
import threading
import time
import types

import grpc

from clients import PIPELINES, Clients
from harness import Daemon, jobs_pb2
from history import History, violations
from work_server import WorkServer

STATES = types.SimpleNamespace(SUCCEEDED=jobs_pb2.Job.SUCCEEDED, CANCELLED=jobs_pb2.Job.CANCELLED,
                               EXPIRED=jobs_pb2.Job.EXPIRED, FAILED=jobs_pb2.Job.FAILED)
CONFIG = """store: { directory: store }
retention: { jobs: 10000000, bytes: 8GiB, age: 240h }
"""
MOST_MOMENTS = 80


class Moments:
    """Counts down to the moment of the next kill."""

    def __init__(self):
        self._lock = threading.Lock()
        self._left = -1
        self._reached = threading.Event()

    def set(self, count):
        with self._lock:
            self._left = count
            self._reached.clear()
            if count == 0:
                self._reached.set()

    def happened(self):
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self._reached.set()

    def wait(self, seconds):
        return self._reached.wait(seconds)


class Report:
    """How a run went."""

    def __init__(self):
        self.kills = 0
        self.jobs = 0
        self.lost = 0  # of these, in a stage that may not begin twice
        self.violations = []

    def add(self, other):
        self.kills += other.kills
        self.jobs += other.jobs
        self.lost += other.lost
        self.violations += other.violations


def run_kills(kills, seed, clients=8, config="", progress=lambda report: None):
    """`kills` kill -9 of one daemon under load; the report's `violations` says what did not hold."""
    rng = random.Random(seed)
    moments = Moments()
    history = History()
    report = Report()
    with WorkServer(moments.happened) as work:
        daemon = Daemon(pipelines=PIPELINES, plugins=["http"], config=CONFIG + config)
        try:
            daemon.start()
            daemon.keep_address()
            load = Clients(daemon.address, work.base, history, seed, clients, moments.happened)
            for _ in range(kills):
                moments.set(rng.choice((0, 1, 2, rng.randrange(MOST_MOMENTS), rng.randrange(MOST_MOMENTS))))
                if not moments.wait(60):
                    report.violations.append("nothing happened for 60 s after a start:\n" + daemon.log[-4000:])
                    break
                daemon.kill()
                report.kills += 1
                start_again(daemon)
                progress(report)
                if load.errors:
                    break
            load.stop()
            stored = all_jobs(daemon)
            report.jobs = len(stored)
            report.lost = sum(job.reason == "STAGE_LOST" for job in stored.values())
            report.violations += load.errors + violations(history, stored, work, STATES)
        finally:
            daemon.close()
    return report


def start_again(daemon):
    """On the address it had; while it was dead, somebody else's connection may have been given that port."""
    for _ in range(100):
        try:
            return daemon.start()
        except AssertionError as error:
            if "in use" not in str(error):
                raise
    raise AssertionError("%s was taken by somebody else, who kept it" % daemon.address)


def all_jobs(daemon):
    """{name: job with its result}; what has not ended by a minute from now will not."""
    found = {}
    token = ""
    until = time.monotonic() + 60
    while True:
        page = daemon.jobs.List(jobs_pb2.ListJobsRequest(
            page_size=1000, page_token=token, view=jobs_pb2.JOB_VIEW_RESULT))
        for job in page.jobs:
            if not job.HasField("end_time"):
                try:
                    job = daemon.jobs.Wait(jobs_pb2.WaitJobRequest(name=job.name),
                                           timeout=max(until - time.monotonic(), 1))
                except grpc.RpcError as error:
                    if error.code() != grpc.StatusCode.DEADLINE_EXCEEDED:
                        raise
            found[job.name] = job
        token = page.next_page_token
        if not token:
            return found
