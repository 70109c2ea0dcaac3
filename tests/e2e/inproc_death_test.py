"""A plugin in the server's own process that destroys itself takes the server with it, in each of seven
ways. The next start says whom to blame, and gives it a process of its own."""
import re
import resource
import signal
import unittest

import grpc

from harness import Daemon, built, jobs_pb2, main

STATE = "  state: state\n"
LEAK_ROOM_BYTES = 400 << 20


def crasher():
    with open(built("tests/stages/isolated/crasher.so"), "rb") as file:
        return {"crasher.so": file.read()}


def run(daemon, stage):
    return daemon.jobs.Run(jobs_pb2.RunJobRequest(job=jobs_pb2.Job(stage=stage, input=b"null")))


def virtual_bytes(pid):
    with open("/proc/%d/status" % pid, encoding="utf-8") as status:
        return int(re.search(r"VmSize:\s+(\d+) kB", status.read()).group(1)) << 10


class DeathOfTheServer(unittest.TestCase):
    def die(self, daemon, stage):
        """Submits the job, and gives the exit code of the server that it ends."""
        try:
            daemon.jobs.Submit(jobs_pb2.SubmitJobRequest(
                job=jobs_pb2.Job(stage="crasher/" + stage, input=b"null")))
        except grpc.RpcError:
            pass  # the job was quicker than the answer
        if stage == "spin":
            daemon.wait_for_log("plugin org.example.crasher 1.0.0 spin has held the loop for 5s")
            daemon.signal(signal.SIGTERM)
            daemon.wait_for_log("has held the loop")
            # The first one is never heard: the loop does not come back.
            while daemon.process.poll() is None:
                daemon.signal(signal.SIGTERM)
        code = daemon.process.wait(timeout=60)
        daemon.channel.close()
        return code

    def test_the_next_start_says_whom_to_blame_and_isolates_it(self):
        deaths = {"segv": (-signal.SIGSEGV, "died of SIGSEGV"),
                  "abort": (-signal.SIGABRT, "died of SIGABRT"),
                  "corrupt": (-signal.SIGABRT, "died of SIGABRT"),
                  "exit": (3, "died of exit(3)"),
                  "leak": (-signal.SIGABRT, "died of SIGABRT"),
                  "spin": (130, "was held for 5s or more")}
        for stage, (code, words) in deaths.items():
            with self.subTest(stage), Daemon(plugin_files=crasher(), plugin_config=STATE) as daemon:
                if stage == "leak":
                    # Otherwise it is the whole machine's memory.
                    room = virtual_bytes(daemon.process.pid) + LEAK_ROOM_BYTES
                    resource.prlimit(daemon.process.pid, resource.RLIMIT_AS, (room, room))
                self.assertEqual(self.die(daemon, stage), code, daemon.log)
                daemon.start()
                daemon.wait_for_log("this server " + words)
                self.assertRegex(daemon.log, r"this server %s in plugin org\.example\.crasher 1\.0\.0, "
                                 r"stage %s, jobs/[\w-]+; with placement: auto that plugin runs in a process"
                                 % (re.escape(words), stage))
                job = run(daemon, "crasher/segv")
                self.assertEqual(job.reason, "STAGE_CRASHED")
                self.assertIsNone(daemon.process.poll(), "now it is only the plugin that dies")
                # It is remembered, not only told once.
                self.assertEqual(daemon.stop(), 0)
                daemon.start()
                self.assertEqual(run(daemon, "crasher/segv").reason, "STAGE_CRASHED")

    def test_a_flood_is_cut_off_and_the_server_lives(self):
        with Daemon(plugin_files=crasher(), plugin_config=STATE) as daemon:
            job = run(daemon, "crasher/flood")
            self.assertEqual(job.state, jobs_pb2.Job.FAILED)
            self.assertIn("this server takes at most", job.error.message)
            self.assertEqual(run(daemon, "crasher/echo").state, jobs_pb2.Job.SUCCEEDED)
            self.assertLess(daemon.metrics()["process_resident_memory_bytes"], 400 << 20)

    def test_sigkill_leaves_a_hint_but_no_blame(self):
        """Out of memory is a SIGKILL: no handler, and perhaps somebody else's doing."""
        with Daemon(plugin_files=crasher(), plugin_config=STATE) as daemon:
            daemon.jobs.Submit(jobs_pb2.SubmitJobRequest(
                job=jobs_pb2.Job(stage="crasher/spin", input=b"null")))
            daemon.wait_for_log("the loop has been blocked for")
            daemon.kill()
            daemon.start()
            daemon.wait_for_log("this server was killed (for want of memory, or by hand) while it "
                                "was in plugin org.example.crasher 1.0.0 spin; if that goes on")
            listed = run(daemon, "crasher/echo")
            self.assertEqual(listed.state, jobs_pb2.Job.SUCCEEDED)
            daemon.kill()
            daemon.start()
            self.assertEqual(daemon.log.count("was killed (for want of memory"), 1,
                             "this time it was in no plugin")


if __name__ == "__main__":
    main()
