"""A plugin is replaced over and over while jobs run in it: none fails, each says what ran it.

    reload_test.py            12 reloads at a modest rate, as continuous integration runs it
    reload_test.py --long     100 reloads under 2,000 jobs a second; prints what it measured
"""
import json
import os
import re
import subprocess
import sys
import unittest

from harness import Daemon, built, jobs_pb2, main, plugins_pb2

LONG = "--long" in sys.argv
if LONG:
    sys.argv.remove("--long")
RELOADS = 100 if LONG else 12
RATE = 2200 if LONG else 200
GROWTH_MAX_KIB = 8192


def version_file(name):
    with open(built("tests/stages/versions/%s.so" % name), "rb") as file:
        return file.read()


def resident_kib(pid):
    with open("/proc/%d/status" % pid, encoding="utf-8") as status:
        return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1))


def drop(daemon, data):
    """As an operator does it: a temporary name, then one rename."""
    temporary = os.path.join(daemon.plugin_folder, "versioned.so.tmp")
    with open(temporary, "wb") as out:
        out.write(data)
    os.chmod(temporary, 0o644)
    os.replace(temporary, os.path.join(daemon.plugin_folder, "versioned.so"))


class ReloadUnderLoad(unittest.TestCase):
    def active_version(self, daemon):
        listed = daemon.plugins.List(plugins_pb2.ListPluginsRequest(page_size=1000)).plugins
        return [p.version for p in listed if p.phase == plugins_pb2.Plugin.ACTIVE]

    def wait_until_active(self, daemon, version):
        # Each question is an RPC, so this waits for the server and does not spin.
        for _ in range(100000):
            if self.active_version(daemon) == [version]:
                return
        self.fail("%s did not become active:\n%s" % (version, daemon.log))

    def test_no_job_is_lost_and_each_says_what_ran_it(self):
        old, new = version_file("v1_0"), version_file("v1_1")
        with Daemon(plugins=[], plugin_files={"versioned.so": old},
                    plugin_config="  watch: true\n",
                    # So that what finished jobs leave behind is not taken for a leak of reloading.
                    config="retention: { jobs: 100, bytes: 1MiB, age: 1m }\n") as daemon:
            load = subprocess.Popen(
                [built("tests/e2e/load/job_load"), daemon.address, "versioned/version", "3",
                 str(RATE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            memory = []
            for i in range(RELOADS):
                data, version = ((new, "1.1.0"), (old, "1.0.0"))[i % 2]
                drop(daemon, data)
                self.wait_until_active(daemon, version)
                memory.append(resident_kib(daemon.process.pid))
            out, _ = load.communicate("", timeout=120)
            metrics = daemon.metrics()
        counts = json.loads(out)
        print("reloads %d, jobs %s" % (RELOADS, out.strip()))
        print("resident after 10 reloads %d KiB, at the end %d KiB" % (memory[9], memory[-1]))
        self.assertGreater(counts["succeeded"], 0)
        self.assertEqual(counts["succeeded"], counts["sent"], counts)
        for trouble in ("failed", "lost", "unrecorded", "mixed"):
            self.assertEqual(counts[trouble], 0, counts)
        self.assertEqual(len(counts["versions"]), 2, counts)
        self.assertEqual(metrics['fermata_plugin_reloads_total{result="loaded"}'], RELOADS + 1)
        self.assertEqual(metrics['fermata_plugin_reloads_total{result="refused"}'], 0)
        self.assertLess(memory[-1] - memory[9], GROWTH_MAX_KIB)
        if LONG:
            self.assertGreaterEqual(counts["rate"], 2000)


class Preemption(unittest.TestCase):
    def wait_until_in_a_version(self, daemon, name):
        for _ in range(100000):
            job = daemon.jobs.Get(jobs_pb2.GetJobRequest(name=name))
            if job.stages and job.stages[0].versions:
                return
        self.fail("it never began:\n" + daemon.log)

    def test_a_job_that_outlasts_the_drain_runs_again_in_the_new_version_free_of_charge(self):
        with Daemon(plugins=[], plugin_files={"versioned.so": version_file("v1_0")},
                    plugin_config="  watch: true\n  drain: 100ms\n") as daemon:
            job = daemon.jobs.Submit(jobs_pb2.SubmitJobRequest(
                job=jobs_pb2.Job(stage="versioned/version", input=b"60000")))
            self.wait_until_in_a_version(daemon, job.name)
            drop(daemon, version_file("v1_1"))
            done = daemon.jobs.Wait(jobs_pb2.WaitJobRequest(name=job.name), timeout=60)
            # Without a pipeline it has one attempt: this one cost none.
            self.assertEqual(done.state, jobs_pb2.Job.SUCCEEDED, daemon.log)
            self.assertEqual(done.result, b'"1.1.0"')
            self.assertEqual([v.split("+")[0] for v in done.stages[0].versions],
                             ["1.0.0", "1.1.0"])
            self.assertIn("PLG-191 1.0.0: 1 calls still running after 100ms", daemon.log)


class BadFiles(unittest.TestCase):
    def test_a_version_that_crashes_is_refused_by_the_probe_and_the_old_one_serves(self):
        with Daemon(plugins=[], plugin_files={"versioned.so": version_file("v1_0")},
                    plugin_config="  watch: true\n") as daemon:
            drop(daemon, version_file("v1_3_create_crashes"))
            refused = []
            for _ in range(100000):
                listed = daemon.plugins.List(plugins_pb2.ListPluginsRequest(page_size=100)).plugins
                refused = [p for p in listed if p.state == plugins_pb2.Plugin.REFUSED]
                if refused:
                    break
            self.assertEqual(len(refused), 1, daemon.log)
            self.assertIn("PLG-161 org.example.versioned/version 1.3.0: create() died in the probe "
                          "with SIGSEGV", refused[0].refusal)
            self.assertIn("1.0.0", [p.version for p in listed
                                    if p.phase == plugins_pb2.Plugin.ACTIVE])


class ByHand(unittest.TestCase):
    def plugin(self, daemon, *args, code=0):
        ran = subprocess.run([built("services/cli/fermata"), "plugin", *args, "--config",
                              daemon.config_file], capture_output=True, text=True)
        self.assertEqual(ran.returncode, code, ran.stdout + ran.stderr)
        return ran.stdout + ran.stderr

    def test_list_reload_rollback_and_allow(self):
        old, new = version_file("v1_0"), version_file("v1_1")
        with Daemon(plugins=[], plugin_files={"versioned.so": old},
                    plugin_config="  admin: admin.sock\n  denied: denied\n") as daemon:
            path = os.path.join(daemon.plugin_folder, "versioned.so")
            os.unlink(path)
            with open(path, "wb") as out:
                out.write(new)
            os.chmod(path, 0o644)
            self.assertIn("1.1.0+", self.plugin(daemon, "reload", "versioned.so"))
            self.assertIn("was rolled back to", self.plugin(daemon, "rollback", "versioned"))
            listed = self.plugin(daemon, "list")
            self.assertRegex(listed, r"1\.0\.0\+\w+ +active")
            self.assertIn("PLG-134", self.plugin(daemon, "reload", "versioned.so", code=5))
            self.assertIn("has no version to go back to",
                          self.plugin(daemon, "rollback", "versioned", code=5))
            # Remembered: a restart does not bring it back.
            daemon.stop()
            daemon.start()
            self.assertIn("PLG-134", self.plugin(daemon, "list"))
            self.assertIn("may be loaded again", self.plugin(daemon, "allow", path))
            self.assertIn("1.1.0+", self.plugin(daemon, "reload", "versioned.so"))
            self.plugin(daemon, "reload", "../x.so", code=5)


if __name__ == "__main__":
    main()
