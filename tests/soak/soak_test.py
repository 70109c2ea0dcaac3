"""The soak, short: every job is accounted for. And whether it would see what grows.

tests/soak/run does the same for hours, where memory and descriptors have the time to be seen growing.
"""
import types
import unittest

from harness import main
from samples import Sample, growths
from soak import Report, account, run_soak


class Soak(unittest.TestCase):
    def test_every_job_is_accounted_for(self):
        report = run_soak(seconds=3, peak_seconds=1)
        self.assertEqual(report.problems, [])
        self.assertGreater(report.jobs, 50)


class Growth(unittest.TestCase):
    @staticmethod
    def samples(rss=lambda second: 50 << 20, fds=lambda second: 40):
        return [Sample(second, rss(second), fds(second), 9) for second in range(300)]

    def test_what_is_flat_is_flat(self):
        self.assertEqual(growths(self.samples(rss=lambda s: (50 << 20) + s % 7 * 100000)), [])

    def test_what_grows_in_the_beginning_only_is_flat(self):
        self.assertEqual(growths(self.samples(rss=lambda s: min(s, 60) << 20)), [])

    def test_a_leak_is_found(self):
        self.assertRegex(growths(self.samples(rss=lambda s: (50 << 20) + s * 50000))[0], "memory grows")
        self.assertRegex(growths(self.samples(fds=lambda s: 40 + s // 10))[0], "descriptors grow")


class Account(unittest.TestCase):
    def problems(self, sent=10, failed=0, submitted=13.0, unfinished=0.0):
        report = Report()
        load = {"sent": sent, "failed": failed, "lost": 0, "first_trouble": "x"}
        account(report, [load], types.SimpleNamespace(jobs=3, errors=[]), {
            'fermata_jobs_submitted_total{pipeline="a"}': submitted, "fermata_jobs_finished_total": 13.0,
            'fermata_jobs{state="RUNNING"}': unfinished})
        return report.problems

    def test_a_job_that_is_missing_or_did_not_end_is_found(self):
        self.assertEqual(self.problems(), [])
        self.assertRegex(self.problems(submitted=12.0)[0], "expected 13 in .*submitted")
        self.assertRegex(self.problems(failed=2)[0], "2 jobs failed")
        self.assertRegex(self.problems(unfinished=1.0)[0], "1 jobs have not ended")


if __name__ == "__main__":
    main()
