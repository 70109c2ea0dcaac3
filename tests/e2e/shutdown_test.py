"""SIGTERM lets running jobs end, a second signal does not wait, and a taken port is told clearly."""
import signal
import subprocess
import unittest

import grpc

from harness import Daemon, built, jobs_pb2, main


def delay(text):
    return jobs_pb2.Job(stage="time/delay", input=b'{"for":"%s","value":1}' % text.encode())


class Shutdown(unittest.TestCase):
    def start_running(self, daemon, text):
        submitted = daemon.jobs.Submit(jobs_pb2.SubmitJobRequest(job=delay(text)))
        events = daemon.jobs.Watch(jobs_pb2.WatchJobRequest(name=submitted.name))
        for event in events:
            if event.state == jobs_pb2.Job.RUNNING:
                return submitted.name, events
        raise AssertionError("never ran")

    def test_sigterm_lets_running_jobs_end_and_refuses_new_ones(self):
        with Daemon() as daemon:
            _, events = self.start_running(daemon, "1s")
            daemon.signal(signal.SIGTERM)
            refusal = None
            while refusal is None:  # the signal is on its way
                try:
                    daemon.jobs.Submit(jobs_pb2.SubmitJobRequest(job=delay("1ms")))
                except grpc.RpcError as error:
                    refusal = error
            self.assertEqual(refusal.code(), grpc.StatusCode.UNAVAILABLE)
            last = list(events)[-1]
            self.assertEqual(last.job.state, jobs_pb2.Job.SUCCEEDED)
            self.assertEqual(daemon.process.wait(timeout=60), 0, daemon.log)

    def test_jobs_that_do_not_end_in_time_are_cancelled(self):
        with Daemon(config="shutdown: { drain: 50ms }\n") as daemon:
            _, events = self.start_running(daemon, "1h")
            daemon.signal(signal.SIGTERM)
            last = list(events)[-1]
            self.assertEqual(last.job.state, jobs_pb2.Job.CANCELLED)
            self.assertEqual(last.job.reason, "SHUTDOWN")
            self.assertEqual(daemon.process.wait(timeout=60), 0, daemon.log)

    def test_who_waits_for_a_job_that_goes_on_later_is_not_told_that_it_has_ended(self):
        with Daemon(config="store: { directory: store }\nshutdown: { drain: 50ms }\n") as daemon:
            name, events = self.start_running(daemon, "1h")
            waiting = daemon.jobs.Wait.future(jobs_pb2.WaitJobRequest(name=name))
            daemon.signal(signal.SIGTERM)
            with self.assertRaises(grpc.RpcError) as left:
                list(events)
            self.assertEqual(left.exception.code(), grpc.StatusCode.UNAVAILABLE)
            self.assertIn(name, left.exception.details())
            self.assertEqual(waiting.exception().code(), grpc.StatusCode.UNAVAILABLE)
            self.assertEqual(daemon.process.wait(timeout=60), 0, daemon.log)

    def test_a_second_signal_ends_it_at_once(self):
        daemon = Daemon()
        try:
            daemon.start()
            self.start_running(daemon, "1h")
            daemon.signal(signal.SIGTERM)
            while "stopping" not in daemon.log:
                self.assertIsNone(daemon.process.poll())
            daemon.signal(signal.SIGTERM)
            self.assertEqual(daemon.process.wait(timeout=20), 130)
        finally:
            daemon.close() if daemon.process.poll() is None else None

    def test_an_address_in_use_is_told_by_name(self):
        with Daemon() as first:
            config = Daemon()
            with open(config.config_file, encoding="utf-8") as file:
                text = file.read().replace('listen: "127.0.0.1:0"', 'listen: "%s"' % first.address)
            with open(config.config_file, "w", encoding="utf-8") as file:
                file.write(text)
            ended = subprocess.run(
                [built("services/fermatad/fermatad"), "--config", config.config_file],
                capture_output=True, encoding="utf-8", timeout=60, check=False)
            config.close()
            self.assertEqual(ended.returncode, 1)
            self.assertIn(first.address, ended.stderr)
            self.assertIn("in use", ended.stderr)


if __name__ == "__main__":
    main()
