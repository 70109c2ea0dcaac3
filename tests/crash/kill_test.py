"""kill -9 under load, short: what was acknowledged is there, ended once, and did no finished step again.

tests/crash/run does the same for thousands of kills.
"""
import types
import unittest

from harness import main
from history import Ended, History, Watched, violations
from kills import STATES, run_kills
from work_server import WorkServer


class Kill(unittest.TestCase):
    def test_nothing_acknowledged_is_lost_and_nothing_ends_twice(self):
        report = run_kills(kills=15, seed=20)
        self.assertEqual(report.violations, [])
        self.assertEqual(report.kills, 15)
        self.assertGreater(report.jobs, 15)

    def test_nor_when_most_of_what_waits_is_in_the_store_alone(self):
        report = run_kills(kills=10, seed=21, config="limits: { running: 2, window: 1 }\n")
        self.assertEqual(report.violations, [])
        self.assertEqual(report.kills, 10)


class Checker(unittest.TestCase):
    """The checker itself: each rule is broken once."""

    def setUp(self):
        self.history = History()
        self.work = WorkServer()
        for step in (1, 2, 3):
            self.work._do("k", step)
        self.job = types.SimpleNamespace(
            labels={"key": "k"}, state=STATES.SUCCEEDED, result=b'"k.1.1,k.2.1,k.3.1"', reason="",
            error=types.SimpleNamespace(message=""), end_time=types.SimpleNamespace(ToNanoseconds=lambda: 5),
            pipeline="steps", HasField=lambda field: True)
        self.history.acknowledge("k", "jobs/1")

    def found(self, stored=None):
        return violations(self.history, {"jobs/1": self.job} if stored is None else stored, self.work, STATES)

    def test_a_good_history_is_good(self):
        self.history.ended["jobs/1"] = {Ended(STATES.SUCCEEDED, self.job.result, 5)}
        self.assertEqual(self.found(), [])

    def test_a_lost_job_is_found(self):
        self.assertRegex(self.found({})[0], "jobs/1 .* is lost")

    def test_a_request_with_two_jobs_is_found(self):
        self.history.acknowledge("k", "jobs/2")
        found = self.found({"jobs/1": self.job, "jobs/2": self.job})
        self.assertRegex(found[0], "answered with several jobs")
        self.assertRegex(found[1], "made two jobs")

    def test_a_second_end_is_found(self):
        self.history.ended["jobs/1"] = {Ended(STATES.SUCCEEDED, b"other", 5)}
        self.assertRegex(self.found()[0], "ended more than once")

    def test_a_job_that_failed_or_was_cancelled_by_nobody_is_found(self):
        self.job.state = STATES.CANCELLED
        self.assertRegex(self.found()[0], "ended as")
        self.history.cancel("jobs/1")
        self.assertEqual(self.found(), [])

    def test_a_finished_step_that_was_done_again_is_found(self):
        self.work._do("k", 1)
        self.assertRegex(self.found()[0], "did a finished step again")

    def test_a_step_that_may_be_done_once_and_was_done_twice_is_found(self):
        self.job.pipeline = "once"
        self.assertEqual(self.found(), [])
        del self.work.requests["k"][2:]
        self.work._do("k", 2)
        self.assertRegex(self.found()[0], "may do once 2 times")

    def test_only_a_job_with_such_a_step_may_be_lost_in_it(self):
        self.job.state, self.job.reason, self.job.result = STATES.FAILED, "STAGE_LOST", b""
        self.assertRegex(self.found()[0], "ended as")
        self.job.pipeline = "once"
        self.assertEqual(self.found(), [])
        self.job.reason = "STAGE_FAILED"
        self.assertRegex(self.found()[0], "ended as")

    def test_a_result_of_a_step_that_did_not_count_is_found(self):
        self.job.result = b'"k.1.9,k.2.1,k.3.1"'
        self.assertRegex(self.found()[0], "expected k.1.1")

    def test_a_job_that_does_not_end_is_found(self):
        self.job.HasField = lambda field: False
        self.assertRegex(self.found()[0], "does not end")

    def test_a_job_that_outlives_its_deadline_is_found(self):
        self.job.pipeline = "stuck"
        self.assertRegex(self.found()[0], "ended as")
        self.job.state = STATES.EXPIRED
        self.assertEqual(self.found(), [])
        self.history.outlives("jobs/1")
        self.assertRegex(self.found()[0], "outlives its deadline")

    def watch(self, *streams):
        """Each stream is a list of sequences; a snapshot's is negative."""
        watched = Watched("jobs/1", self.history)
        for sequences in streams:
            watched.begins()
            for sequence in sequences:
                watched.saw(types.SimpleNamespace(
                    sequence=abs(sequence), SNAPSHOT=1, kind=1 if sequence < 0 else 2,
                    job=types.SimpleNamespace(HasField=lambda field: False)))
        return watched

    def test_events_in_order_are_good(self):
        self.watch([-1, 2, 3, -7, 8], [9, 10], [-10, 11], [20])
        self.assertEqual(self.found(), [])

    def test_events_out_of_order_are_found(self):
        self.watch([-1, 2, 2])
        self.watch([-5], [-4])
        self.assertRegex(self.found()[0], "2 came after 2")
        self.assertRegex(self.found()[1], "4 came after 5")

    def test_an_event_that_is_missing_is_found(self):
        self.watch([-1, 3])
        self.assertRegex(self.found()[0], "1 was followed by 3")

    def test_a_stream_without_the_end_is_found(self):
        self.watch([-1, 2]).ends()
        self.assertRegex(self.found()[0], "before the job did")


if __name__ == "__main__":
    main()
