"""Clients that do not give up: each submits jobs, retries until it is answered, and follows them to
their end, whatever happens to the daemon. What they saw goes into the History."""
import itertools
import random
import threading
import time

import grpc

from harness import jobs_pb2
from history import Watched
from harness.stubs import jobs_pb2_grpc

PIPELINE = """
pipeline: steps
input: { type: object, required: [base, key] }
stages:
  one:
    use: http/get
    with: { url: "${/input/base}/step/1/${/input/key}" }
    retry: { attempts: 20, initial: 10ms, max: 100ms }
  two:
    use: http/get
    after: [one]
    with: { url: "${/input/base}/step/2/${/input/key}" }
    retry: { attempts: 20, initial: 10ms, max: 100ms }
  three:
    use: http/get
    after: [two]
    with: { url: "${/input/base}/step/3/${/input/key}" }
    retry: { attempts: 20, initial: 10ms, max: 100ms }
result: "${/stages/one/body},${/stages/two/body},${/stages/three/body}"
"""
# The second step is done once, or nobody knows whether it was.
ONCE = """
pipeline: once
input: { type: object, required: [base, key] }
stages:
  one:
    use: http/get
    with: { url: "${/input/base}/step/1/${/input/key}" }
    retry: { attempts: 20, initial: 10ms, max: 100ms }
  two:
    use: http/get
    after: [one]
    if_lost: fail
    with: { url: "${/input/base}/step/2/${/input/key}" }
  three:
    use: http/get
    after: [two]
    with: { url: "${/input/base}/step/3/${/input/key}" }
    retry: { attempts: 20, initial: 10ms, max: 100ms }
result: "${/stages/one/body},${/stages/two/body},${/stages/three/body}"
"""
# Ends by its timeout alone.
STUCK = """
pipeline: stuck
stages:
  hang:
    use: http/get
    timeout: 1h
    with: { url: "${/input/base}/step/0/${/input/key}", timeout: 1h }
    retry: { attempts: 1000, initial: 10ms, max: 100ms }
"""
PIPELINES = {"steps": PIPELINE, "once": ONCE, "stuck": STUCK}
# From a deadline to the end that a client hears of, a restart or two included.
LATE_SECONDS = 30
TRANSIENT = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)
OPTIONS = [("grpc.initial_reconnect_backoff_ms", 20), ("grpc.min_reconnect_backoff_ms", 20),
           ("grpc.max_reconnect_backoff_ms", 100), ("grpc.use_local_subchannel_pool", 1)]


class Clients:
    """`count` threads until stop(); an unexpected error of theirs is in `errors`."""

    def __init__(self, address, base, history, seed, count, on_answer):
        self._address, self._base, self._history = address, base, history
        self._on_answer = on_answer
        self._ending = threading.Event()
        self.errors = []
        self._threads = [
            threading.Thread(target=self._run, args=(i, random.Random(seed * 1000 + i)), daemon=True)
            for i in range(count)]
        for thread in self._threads:
            thread.start()

    def stop(self):
        """Each ends with the job that it is at; the daemon must be up."""
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number, rng):
        with grpc.insecure_channel(self._address, options=OPTIONS) as channel:
            jobs = jobs_pb2_grpc.JobsStub(channel)
            for count in itertools.count():
                if self._ending.is_set() or self.errors:
                    return
                try:
                    self._one_job(jobs, "c%d-%d" % (number, count), rng)
                except Exception as error:  # pylint: disable=broad-except
                    self.errors.append("client %d: %r" % (number, error))

    def _one_job(self, jobs, key, rng):
        job = jobs_pb2.Job(pipeline="steps", labels={"key": key},
                           input=b'{"base":"%s","key":"%s"}' % (self._base.encode(), key.encode()))
        seconds = None
        drawn = rng.random()
        if drawn > 0.75:
            job.pipeline = "once"
        elif drawn < 0.1:
            seconds = rng.uniform(0.01, 2)
            job.pipeline = "stuck"
            job.timeout.FromNanoseconds(int(seconds * 1e9))
        request = jobs_pb2.SubmitJobRequest(job=job, request_id=key)
        name = self._submit(jobs, request)
        self._on_answer()
        give_up = time.monotonic() + seconds + LATE_SECONDS if seconds else None
        if rng.random() < 0.1:  # an answer that was lost: the same request again
            self._submit(jobs, request)
        cancel_after = rng.randrange(4) if rng.random() < 0.1 else None
        if rng.random() < 0.5:
            self._watch(jobs, name, cancel_after, give_up)
        elif cancel_after is not None:
            self._cancel(jobs, name)
        ended = self._persist(lambda: self._wait(jobs, name, give_up))
        if ended is None:
            return
        self._history.end(ended)
        self._on_answer()
        if rng.random() < 0.1:
            self._submit(jobs, request)

    def _submit(self, jobs, request):
        name = self._persist(lambda: jobs.Submit(request, timeout=5, wait_for_ready=True)).name
        self._history.acknowledge(request.request_id, name)
        return name

    def _wait(self, jobs, name, give_up):
        """The job when it has ended; None when it has outlived its deadline."""
        while True:
            request = jobs_pb2.WaitJobRequest(name=name)
            request.timeout.FromSeconds(5)
            job = jobs.Wait(request, timeout=20, wait_for_ready=True)
            if job.HasField("end_time"):
                return job
            if give_up and time.monotonic() > give_up:
                self._history.outlives(name)
                return None

    def _cancel(self, jobs, name):
        self._history.cancel(name)
        try:
            self._persist(lambda: jobs.Cancel(jobs_pb2.CancelJobRequest(name=name), timeout=5,
                                              wait_for_ready=True))
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.FAILED_PRECONDITION:  # it had ended
                raise

    def _watch(self, jobs, name, cancel_after, give_up):
        """To the last event, resuming after every crash; cancels the job on the way if told to."""
        watched = Watched(name, self._history)
        cancel = cancel_after is not None

        def follow():
            nonlocal cancel
            watched.begins()
            for event in jobs.Watch(jobs_pb2.WatchJobRequest(name=name, after_sequence=watched.last),
                                    timeout=20, wait_for_ready=True):
                watched.saw(event)
                if cancel and watched.count > cancel_after:
                    cancel = False
                    self._cancel(jobs, name)
            watched.ends()

        while not watched.finished and (not give_up or time.monotonic() < give_up):
            self._persist(follow, give_up)

    def _persist(self, call, give_up=None):
        while True:
            try:
                return call()
            except grpc.RpcError as error:
                if error.code() not in TRANSIENT:
                    raise
                if give_up and time.monotonic() > give_up:
                    return None
