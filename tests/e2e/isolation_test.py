"""A plugin that destroys itself: in its own process nobody else notices, in the server's the next start
knows whom to blame."""
import threading
import unittest

from harness import Daemon, built, jobs_pb2, main

# How each stage of the crasher dies, and the words by which its job must say so.
DEATHS = {
    "segv": "SIGSEGV",
    "abort": "SIGABRT",
    "exit": "exit code 3",
    "corrupt": "SIGABRT",
    "spin": "no answer for",
    "leak": "SIGABRT",
}
ISOLATED = "  isolation:\n    crasher: { placement: isolated, memory: 256MiB, hang: 1s }\n"


def crasher():
    with open(built("tests/stages/isolated/crasher.so"), "rb") as file:
        return {"crasher.so": file.read()}


def run(daemon, stage, data=b"null"):
    return daemon.jobs.Run(jobs_pb2.RunJobRequest(job=jobs_pb2.Job(stage=stage, input=data)))


class IsolatedCrashes(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon(plugin_files=crasher(), plugin_config=ISOLATED).__enter__()

    def tearDown(self):
        self.daemon.close()

    def test_each_death_is_a_dead_letter_that_names_it_and_nobody_else_notices(self):
        for stage, words in DEATHS.items():
            with self.subTest(stage):
                stop = threading.Event()
                others = []

                def serve_others():
                    while not stop.is_set():
                        others.append(run(self.daemon, "time/delay", b'{"for":"1ms","value":1}'))

                thread = threading.Thread(target=serve_others)
                thread.start()
                job = run(self.daemon, "crasher/" + stage)
                stop.set()
                thread.join()
                self.assertEqual(job.state, jobs_pb2.Job.FAILED)
                self.assertEqual(job.reason, "STAGE_CRASHED")
                self.assertIn("crasher/" + stage, job.error.message)
                self.assertIn(words, job.error.message)
                self.assertTrue(others)
                self.assertEqual({other.state for other in others}, {jobs_pb2.Job.SUCCEEDED})
                self.daemon.close()
                self.daemon = Daemon(plugin_files=crasher(), plugin_config=ISOLATED).__enter__()

    def test_bystanders_succeed(self):
        slow = self.daemon.jobs.Submit(jobs_pb2.SubmitJobRequest(
            job=jobs_pb2.Job(stage="crasher/nap", input=b"null")))
        job = run(self.daemon, "crasher/segv")
        self.assertEqual(job.state, jobs_pb2.Job.FAILED)
        waited = self.daemon.jobs.Wait(jobs_pb2.WaitJobRequest(name=slow.name))
        self.assertEqual(waited.state, jobs_pb2.Job.SUCCEEDED)

    def test_a_flood_is_cut_off(self):
        job = run(self.daemon, "crasher/flood")
        self.assertEqual(job.state, jobs_pb2.Job.FAILED)
        self.assertIn("this server takes at most", job.error.message)
        self.assertLess(self.daemon.metrics()["process_resident_memory_bytes"], 400 << 20)

    def test_metrics_and_the_list_tell(self):
        run(self.daemon, "crasher/segv")
        numbers = self.daemon.metrics()
        label = '{plugin="org.example.crasher"}'
        self.assertEqual(
            numbers['fermata_plugin_process_crashes_total{plugin="org.example.crasher",signal="SIGSEGV"}'], 3)
        self.assertGreaterEqual(numbers["fermata_plugin_process_starts_total" + label], 3)


class CrashOfTheServer(unittest.TestCase):
    def test_the_next_start_says_whom_to_blame_and_isolates_it(self):
        with Daemon(plugin_files=crasher(), plugin_config="  state: state\n") as daemon:
            daemon.jobs.Submit(jobs_pb2.SubmitJobRequest(
                job=jobs_pb2.Job(stage="crasher/segv", input=b"null")))
            self.assertEqual(daemon.process.wait(timeout=60), -11)

            daemon.start()
            self.assertIn("this server died of SIGSEGV in plugin org.example.crasher 1.0.0, stage segv, jobs/",
                          daemon.log)
            job = run(daemon, "crasher/segv")
            self.assertEqual(job.reason, "STAGE_CRASHED")
            self.assertIsNone(daemon.process.poll(), "now it is only the plugin that dies")

            # It is remembered, not only told once.
            self.assertEqual(daemon.stop(), 0)
            daemon.start()
            self.assertEqual(run(daemon, "crasher/segv").reason, "STAGE_CRASHED")


if __name__ == "__main__":
    main()
