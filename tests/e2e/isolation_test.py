"""A plugin in a process of its own that destroys itself: nobody else notices (inproc_death_test: in the
server's, the next start knows whom to blame)."""
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


# The death of a stage's process, as the pipeline has it (segv may run twice, once may not).
PIPELINES = {
    "fails": "pipeline: fails\nstages:\n  a: { use: crasher/segv, if_lost: fail, retry: { attempts: 9 } }\n",
    "once": "pipeline: once\nstages:\n  a: { use: crasher/once }\n",
    "again": "pipeline: again\nstages:\n  a: { use: crasher/once, if_lost: retry }\n",
}


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

    def test_the_pipeline_says_whether_a_stage_runs_again_whose_process_died(self):
        daemon = Daemon(pipelines=PIPELINES, plugin_files=crasher(), plugin_config=ISOLATED).__enter__()
        self.addCleanup(daemon.close)

        def submit(pipeline):
            return daemon.jobs.Submit(jobs_pb2.SubmitJobRequest(job=jobs_pb2.Job(pipeline=pipeline))).name

        job = daemon.jobs.Run(jobs_pb2.RunJobRequest(job=jobs_pb2.Job(pipeline="fails")))
        self.assertEqual((job.state, job.reason), (jobs_pb2.Job.FAILED, "STAGE_LOST"))
        self.assertIn("SIGSEGV", job.error.message)
        self.assertIn("it has `if_lost: fail`, so it is not run again", job.error.message)
        crashes = 'fermata_plugin_process_crashes_total{plugin="org.example.crasher",signal="SIGSEGV"}'
        self.assertEqual(daemon.metrics()[crashes], 1)
        once, again = submit("once"), submit("again")
        while daemon.metrics()['fermata_plugin_calls_in_flight{stage="crasher/once"}'] < 2:
            pass  # the process is being started again
        daemon.jobs.Run(jobs_pb2.RunJobRequest(job=jobs_pb2.Job(pipeline="fails")))
        job = daemon.jobs.Wait(jobs_pb2.WaitJobRequest(name=once))
        self.assertEqual((job.state, job.reason), (jobs_pb2.Job.FAILED, "STAGE_LOST"))
        self.assertIn("it does not say that it may run twice", job.error.message)
        job = daemon.jobs.Get(jobs_pb2.GetJobRequest(name=again))
        self.assertEqual((job.state, job.stages[0].retries), (jobs_pb2.Job.RUNNING, 1))
        daemon.jobs.Cancel(jobs_pb2.CancelJobRequest(name=again))

    def test_a_flood_is_cut_off(self):
        job = run(self.daemon, "crasher/flood")
        self.assertEqual(job.state, jobs_pb2.Job.FAILED)
        self.assertIn("this server takes at most", job.error.message)
        self.assertLess(self.daemon.metrics()["process_resident_memory_bytes"], 400 << 20)

    def test_health_names_the_plugin_whose_jobs_wait_and_the_server_serves(self):
        check = self.daemon.channel.unary_unary("/grpc.health.v1.Health/Check")
        watch = self.daemon.channel.unary_stream("/grpc.health.v1.Health/Watch")

        def named(name):
            return b"\x0a" + bytes([len(name)]) + name.encode()
        states = watch(named("plugins/crasher"), timeout=60)
        # SERVICE_UNKNOWN until it was looked at for the first time.
        self.assertIn(b"\x08\x01", iter(states))
        for _ in range(2):  # three crashes each: a loop
            run(self.daemon, "crasher/segv")
        self.assertIn(b"\x08\x02", iter(states))
        self.assertEqual(check(named("plugins/time")), b"\x08\x01")
        self.assertEqual(check(b""), b"\x08\x01")

    def test_metrics_and_the_list_tell(self):
        run(self.daemon, "crasher/segv")
        numbers = self.daemon.metrics()
        label = '{plugin="org.example.crasher"}'
        self.assertEqual(
            numbers['fermata_plugin_process_crashes_total{plugin="org.example.crasher",signal="SIGSEGV"}'], 3)
        self.assertGreaterEqual(numbers["fermata_plugin_process_starts_total" + label], 3)


if __name__ == "__main__":
    main()
