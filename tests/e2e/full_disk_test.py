"""A disk that is full, as clients meet it: new work is refused, questions are answered, and once there
is room again all is as before. store.bytes stands for the disk: above it the file finds no space."""
import unittest

import grpc

from harness import Daemon, jobs_pb2, main

SERVING = b"\x08\x01"
CONFIG = "store: { directory: store, bytes: 2MiB }\nshutdown: { drain: 10ms }\n"


def submit(daemon, delay):
    return daemon.jobs.Submit(jobs_pb2.SubmitJobRequest(job=jobs_pb2.Job(
        stage="time/delay", input=b'{"for":"%s","value":"%s"}' % (delay, b"x" * 50000)))).name


def fill(daemon, delay=b"1h"):
    """(the names that were taken, the refusal of the next one)"""
    names = []
    while True:
        try:
            names.append(submit(daemon, delay))
        except grpc.RpcError as refusal:
            return names, refusal


def until_done(call):
    """What a client with a retry policy does."""
    while True:
        try:
            return call()
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.UNAVAILABLE:
                raise


class FullDisk(unittest.TestCase):
    def test_it_refuses_new_work_answers_questions_and_recovers_by_itself(self):
        with Daemon(config=CONFIG) as daemon:
            names, refusal = fill(daemon)
            self.assertEqual(refusal.code(), grpc.StatusCode.UNAVAILABLE)
            self.assertIn("storing it failed", refusal.details())
            self.assertGreater(len(names), 10)
            for name in names:
                self.assertFalse(daemon.jobs.Get(jobs_pb2.GetJobRequest(name=name)).HasField("end_time"))
            listed = daemon.jobs.List(jobs_pb2.ListJobsRequest(page_size=1000))
            self.assertEqual(sorted(job.name for job in listed.jobs), sorted(names))
            check = daemon.channel.unary_unary("/grpc.health.v1.Health/Check")
            self.assertEqual(check(b""), SERVING)  # whoever comes to ask is served
            self.assertEqual(daemon.metrics()["fermata_store_healthy"], 0)
            for name in names:
                until_done(lambda: daemon.jobs.Cancel(jobs_pb2.CancelJobRequest(name=name)))
                daemon.jobs.Wait(jobs_pb2.WaitJobRequest(name=name))
                daemon.jobs.Delete(jobs_pb2.DeleteJobRequest(name=name))
            self.assertTrue(submit(daemon, b"1ms"))
            self.assertEqual(daemon.metrics()["fermata_store_healthy"], 1)

    def test_what_was_acknowledged_before_is_there_after_a_crash(self):
        daemon = Daemon(config=CONFIG)
        try:
            daemon.start()
            names, _ = fill(daemon)
            daemon.kill()
            daemon.start()
            listed = daemon.jobs.List(jobs_pb2.ListJobsRequest(page_size=1000))
            self.assertEqual(sorted(job.name for job in listed.jobs), sorted(names))
        finally:
            daemon.close()


if __name__ == "__main__":
    main()
