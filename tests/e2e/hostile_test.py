"""Bad input over the wire gets a clear error and leaves the server serving."""
import json
import os
import signal
import socket
import subprocess
import sys
import unittest

import grpc

from harness import Daemon, details_of, jobs_pb2, main, plugins_pb2

TYPED = """
pipeline: typed
input: { type: object, required: [n], properties: { n: { type: integer } } }
stages: { wait: { use: time/delay, with: { for: 1ms, value: "${/input/n}" } } }
"""

# A client that runs a job without an end and is then killed.
LEAVES = """
import sys, grpc
run = grpc.insecure_channel(sys.argv[1]).unary_unary("/fermata.v1.Jobs/Run")
call = run.future(bytes.fromhex(sys.argv[2]))
print("asked", flush=True)
call.result()
"""


class Hostile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(pipelines={"typed": TYPED}).__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.daemon.close()

    def tearDown(self):
        """Whatever a test did: the same process still runs jobs."""
        self.assertIsNone(self.daemon.process.poll(), self.daemon.log)
        ended = self.daemon.jobs.Run(jobs_pb2.RunJobRequest(
            job=jobs_pb2.Job(pipeline="typed", input=b'{"n":7}')), timeout=30)
        self.assertEqual(ended.result, b"7")

    def refused(self, code, reason, **fields):
        with self.assertRaises(grpc.RpcError) as caught:
            self.daemon.jobs.Submit(jobs_pb2.SubmitJobRequest(job=jobs_pb2.Job(**fields)))
        error = caught.exception
        self.assertEqual(error.code(), code, error.details())
        info = details_of(error)["ErrorInfo"]
        self.assertEqual((info.domain, info.reason), ("fermata.dev", reason), error.details())
        return error.details(), details_of(error)

    def invalid(self, reason="INVALID_REQUEST", **fields):
        message, details = self.refused(grpc.StatusCode.INVALID_ARGUMENT, reason, **fields)
        violations = details["BadRequest"].field_violations
        self.assertEqual(len(violations), 1)
        return violations[0].field, message + " " + violations[0].description

    def test_malformed_json_is_refused_with_its_place(self):
        field, message = self.invalid(pipeline="typed", input=b'{"n": }')
        self.assertEqual(field, "job.input")
        self.assertIn("line 1, column 7", message)

    def test_wrong_types_are_refused_with_a_pointer(self):
        field, message = self.invalid(pipeline="typed", input=b'{"n": "seven"}')
        self.assertEqual(field, "job.input")
        self.assertIn("/n", message)
        self.assertIn("integer", message)

    def test_a_missing_member_is_refused_by_name(self):
        self.assertIn("n", self.invalid(pipeline="typed", input=b"{}")[1])

    def test_input_that_is_not_utf8_is_refused(self):
        self.assertIn("UTF-8", self.invalid(pipeline="typed", input=b'{"n": "\xff\xfe"}')[1])

    def test_json_nested_too_deep_is_refused(self):
        self.invalid(pipeline="typed", input=b"[" * 100000 + b"]" * 100000)

    def test_an_unknown_pipeline_is_refused_with_the_nearest_name(self):
        message, details = self.refused(
            grpc.StatusCode.NOT_FOUND, "PIPELINE_NOT_FOUND", pipeline="typd")
        self.assertIn("typed", message)
        self.assertIn("typd", details["ResourceInfo"].resource_name)

    def test_an_unknown_stage_is_refused_with_the_nearest_name(self):
        message, _ = self.refused(grpc.StatusCode.NOT_FOUND, "STAGE_NOT_FOUND", stage="http/gat")
        self.assertIn("http/get", message)

    def test_a_bad_inline_pipeline_is_refused_with_line_and_column(self):
        message = self.invalid(pipeline_yaml="pipeline: x\nstages:\n  a: { uses: http/get }\n")[1]
        self.assertRegex(message, r":3:\d+")
        self.assertIn("use", message)

    def test_a_job_without_work_is_refused(self):
        self.invalid(input=b"{}")

    def test_a_payload_of_100_mb_is_refused_before_it_is_kept(self):
        big = b'{"n": "' + b"x" * 100_000_000 + b'"}'
        with self.assertRaises(grpc.RpcError) as caught:
            self.daemon.jobs.Submit(jobs_pb2.SubmitJobRequest(
                job=jobs_pb2.Job(pipeline="typed", input=big)), timeout=60)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.assertLess(self.daemon.metrics()["process_resident_memory_bytes"], 400e6)

    def test_a_payload_just_above_the_limit_is_refused_by_name(self):
        field, message = self.invalid(
            "PAYLOAD_TOO_LARGE", pipeline="typed", input=b'"' + b"x" * (4 << 20) + b'"')
        self.assertEqual(field, "job.input")
        self.assertIn("4194304", message.replace(",", ""))

    def test_bytes_that_are_no_message_are_refused(self):
        for method in ("Submit", "Run", "Get", "List", "Wait", "Cancel", "Delete"):
            call = self.daemon.channel.unary_unary("/fermata.v1.Jobs/" + method)
            with self.assertRaises(grpc.RpcError) as caught:
                call(b"\xff\xff\xff\xff not protobuf", timeout=30)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT, method)
            self.assertEqual(details_of(caught.exception)["ErrorInfo"].reason, "MALFORMED_REQUEST")

    def test_unknown_methods_and_services_are_unimplemented(self):
        for path in ("/fermata.v1.Jobs/Explode", "/no.Such/Service"):
            with self.assertRaises(grpc.RpcError) as caught:
                self.daemon.channel.unary_unary(path)(b"", timeout=30)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.UNIMPLEMENTED)

    def test_what_is_not_http2_is_hung_up_on(self):
        host, port = self.daemon.address.rsplit(":", 1)
        for bytes_in in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", os.urandom(4096), b"\0" * 100):
            with socket.create_connection((host, int(port)), timeout=30) as client:
                try:
                    client.sendall(bytes_in)
                    while client.recv(4096):
                        pass
                except ConnectionError:
                    pass

    def test_names_that_are_none_are_refused(self):
        for name in ("", "jobs/", "jobs/../../etc/passwd", "jobs/" + "x" * 10000, "jobs/\x00"):
            with self.assertRaises(grpc.RpcError) as caught:
                self.daemon.jobs.Get(jobs_pb2.GetJobRequest(name=name))
            self.assertIn(caught.exception.code(),
                          (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND), name[:40])

    def test_bad_pages_and_filters_are_refused(self):
        for request in (jobs_pb2.ListJobsRequest(page_size=-1),
                        jobs_pb2.ListJobsRequest(page_token="made up"),
                        jobs_pb2.ListJobsRequest(filter="state > 3"),
                        jobs_pb2.ListJobsRequest(filter="colour = red"),
                        jobs_pb2.ListJobsRequest(filter='queue = "' + "x" * 5000)):
            with self.assertRaises(grpc.RpcError) as caught:
                self.daemon.jobs.List(request)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
        with self.assertRaises(grpc.RpcError):
            self.daemon.plugins.List(plugins_pb2.ListPluginsRequest(page_token="made up"))

    def endless(self, label):
        """A Run of a job without an end, findable by `label`."""
        return jobs_pb2.RunJobRequest(job=jobs_pb2.Job(
            stage="time/delay", input=json.dumps({"for": "1h"}).encode(), labels={"who": label}))

    def running_job(self, label):
        """The name of the job with that label, once it runs."""
        while True:
            found = self.daemon.jobs.List(jobs_pb2.ListJobsRequest(filter="labels.who = " + label))
            if found.jobs:
                for event in self.daemon.jobs.Watch(
                        jobs_pb2.WatchJobRequest(name=found.jobs[0].name), timeout=30):
                    if event.state == jobs_pb2.Job.RUNNING:
                        return found.jobs[0].name

    def assert_cancelled(self, name):
        ended = self.daemon.jobs.Wait(jobs_pb2.WaitJobRequest(name=name), timeout=30)
        self.assertEqual(ended.state, jobs_pb2.Job.CANCELLED)
        self.assertEqual(ended.reason, "CLIENT_GONE")

    def test_a_cancelled_rpc_cancels_its_job(self):
        call = self.daemon.jobs.Run.future(self.endless("canceller"))
        name = self.running_job("canceller")
        call.cancel()
        self.assert_cancelled(name)

    def test_a_client_that_is_killed_takes_its_job_along(self):
        client = subprocess.Popen(
            [sys.executable, "-c", LEAVES, self.daemon.address,
             self.endless("killed").SerializeToString().hex()], stdout=subprocess.PIPE)
        client.stdout.readline()
        name = self.running_job("killed")
        client.send_signal(signal.SIGKILL)
        client.wait()
        client.stdout.close()
        self.assert_cancelled(name)

    def test_watchers_that_leave_do_not_touch_the_job(self):
        submitted = self.daemon.jobs.Submit(
            jobs_pb2.SubmitJobRequest(job=self.endless("watched").job))
        for _ in range(50):
            stream = self.daemon.jobs.Watch(jobs_pb2.WatchJobRequest(name=submitted.name))
            next(stream)
            stream.cancel()
        job = self.daemon.jobs.Get(jobs_pb2.GetJobRequest(name=submitted.name))
        self.assertFalse(job.HasField("end_time"))
        self.daemon.jobs.Cancel(jobs_pb2.CancelJobRequest(name=submitted.name))


class Limits(unittest.TestCase):
    def test_at_the_limit_a_submit_is_refused_and_told_when_to_come_again(self):
        with Daemon(config="limits: { jobs: 3 }\n") as daemon:
            endless = jobs_pb2.SubmitJobRequest(
                job=jobs_pb2.Job(stage="time/delay", input=b'{"for":"1h"}'))
            names = [daemon.jobs.Submit(endless).name for _ in range(3)]
            with self.assertRaises(grpc.RpcError) as caught:
                daemon.jobs.Submit(endless)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
            details = details_of(caught.exception)
            self.assertEqual(details["ErrorInfo"].reason, "TOO_MANY_JOBS")
            self.assertGreater(details["RetryInfo"].retry_delay.ToNanoseconds(), 0)
            self.assertTrue(details["QuotaFailure"].violations[0].subject)
            for name in names:
                daemon.jobs.Cancel(jobs_pb2.CancelJobRequest(name=name))
                daemon.jobs.Wait(jobs_pb2.WaitJobRequest(name=name))
            daemon.jobs.Cancel(jobs_pb2.CancelJobRequest(name=daemon.jobs.Submit(endless).name))


if __name__ == "__main__":
    main()
