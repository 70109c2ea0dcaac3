"""The command line against a real daemon: what it prints where, and its exit codes."""
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import unittest

from harness import Daemon, WebServer, built, jobs_pb2, main

FERMATA = "services/cli/fermata"
PIPELINES = {
    "nap": "pipeline: nap\nstages:\n  nap: { use: time/delay, "
           "with: { for: '${/input/for}', value: { slept: '${/input/for}' } } }\n",
    "fails": "pipeline: fails\nstages:\n  pick: { use: json/pick, "
             "with: { value: {}, pointer: /missing } }\n",
    "many": "pipeline: many\nstages:\n  naps: { use: time/delay, each: '${/input/naps}', "
            "with: { for: '${/item}' }, parallel: 4 }\n  done: { use: time/delay, after: [naps], "
            "with: { for: 1ms, value: all } }\n",
}


class Cli(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(pipelines=PIPELINES).__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.daemon.close()

    def command(self, *arguments, server=None):
        return [built(FERMATA), "--server", server or self.daemon.address, *arguments]

    def fermata(self, *arguments, server=None, code=0, stdin=None):
        done = subprocess.run(self.command(*arguments, server=server), capture_output=True,
                              encoding="utf-8", input=stdin, timeout=120, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def on_terminal(self, *arguments, columns=100, environment=None, feed=None):
        """(exit code, all that a terminal was sent); `feed(text so far)` may return bytes to type."""
        primary, secondary = pty.openpty()
        os.system("stty rows 24 cols %d < %s" % (columns, os.ttyname(secondary)))
        process = subprocess.Popen(
            self.command(*arguments), stdin=secondary, stdout=secondary, stderr=secondary,
            start_new_session=True, env={**os.environ, "TERM": "xterm", **(environment or {})},
            preexec_fn=lambda: __import__("fcntl").ioctl(0, 0x540E, 0))  # TIOCSCTTY
        os.close(secondary)
        text = ""
        killer = threading.Timer(120, process.kill)
        killer.start()
        while True:
            select.select([primary], [], [])
            try:
                data = os.read(primary, 65536)
            except OSError:  # the other side has closed
                break
            if not data:
                break
            text += data.decode()
            typed = feed(text) if feed else None
            if typed:
                os.write(primary, typed)
        os.close(primary)
        code = process.wait()
        killer.cancel()
        return code, text

    # run

    def test_run_prints_the_result_on_stdout_and_the_progress_on_stderr(self):
        done = self.fermata("run", "nap", "--set", "for=5ms")
        self.assertEqual(json.loads(done.stdout), {"slept": "5ms"})
        self.assertRegex(done.stderr, r"jobs/\S+ SUCCEEDED after ")
        self.assertIn("nap: SUCCEEDED", done.stderr)
        self.assertNotIn("\x1b", done.stderr + done.stdout)

    def test_run_quiet_says_nothing_but_the_result(self):
        self.assertEqual(self.fermata("run", "-q", "nap", "--set", "for=5ms").stderr, "")

    def test_run_json_prints_the_whole_job(self):
        done = self.fermata("--json", "run", "nap", "--set", "for=5ms", "-l", "who=cli")
        job = json.loads(done.stdout)
        self.assertEqual((job["state"], job["result"]), ("SUCCEEDED", {"slept": "5ms"}))
        self.assertEqual(job["labels"], {"who": "cli"})
        self.assertEqual(done.stderr, "")

    def test_run_takes_a_stage_and_a_pipeline_file_and_stdin(self):
        done = self.fermata("run", "time/delay", "-i", "-", stdin='{"for":"1ms","value":[1.5]}')
        self.assertEqual(done.stdout, "[1.5]\n")
        file = os.path.join(self.daemon.folder, "mine.yaml")
        with open(file, "w", encoding="utf-8") as out:
            out.write(PIPELINES["nap"])
        self.assertEqual(json.loads(self.fermata("run", file, "--set", "for=1ms").stdout),
                         {"slept": "1ms"})

    def test_a_failed_job_exits_1_and_says_which_stage_and_why(self):
        done = self.fermata("run", "fails", code=1)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, r"FAILED: stage pick after 1 attempt: \w+: .*missing")

    def test_an_expired_job_exits_4(self):
        self.fermata("run", "nap", "--set", "for=1h", "--timeout", "50ms", code=4)

    def test_a_refused_job_exits_5_with_field_and_hint(self):
        self.assertIn("did you mean 'nap'", self.fermata("run", "nab", code=5).stderr)
        refused = self.fermata("--json", "run", "nab", code=5)
        self.assertEqual(json.loads(refused.stdout)["error"]["reason"], "PIPELINE_NOT_FOUND")

    def test_no_server_exits_6_and_says_where_it_looked(self):
        done = self.fermata("list", server="127.0.0.1:1", code=6)
        self.assertIn("no answer from a fermatad at 127.0.0.1:1", done.stderr)

    def test_wrong_usage_exits_2_without_a_server(self):
        for arguments in (["run"], ["rum"], ["run", "nap", "-i", "{"], ["run", "./none.yaml"]):
            self.fermata(*arguments, server="127.0.0.1:1", code=2)

    def test_sigint_cancels_the_job_of_run_and_exits_3(self):
        process = subprocess.Popen(self.command("run", "nap", "--set", "for=1h"),
                                   stderr=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
        seen = ""
        while "nap: RUNNING" not in seen:
            seen += process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, rest = process.communicate(timeout=60)
        self.assertEqual((process.returncode, out), (3, ""), seen + rest)
        self.assertIn("cancelling jobs/", rest)
        self.assertIn("CANCELLED", rest)

    def test_progress_without_a_reader_does_not_stop_the_job(self):
        done = subprocess.run(
            ["bash", "-c", '"$@" 2> >(exec true)', "-"] +
            self.command("run", "many", "-i", json.dumps({"naps": ["20ms"] * 40})),
            capture_output=True, encoding="utf-8", timeout=120, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, '"all"\n'), done.stderr)

    # on a terminal

    def test_a_terminal_gets_a_live_block_that_ends_complete(self):
        code, text = self.on_terminal("run", "many", "-i", json.dumps({"naps": ["30ms"] * 40}))
        self.assertEqual(code, 0, text)
        self.assertRegex(text, r"\x1b\[\d+A\r\x1b\[2K")
        self.assertIn("━", text)
        last = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text[text.rindex("\x1b[J") - 600:])
        self.assertRegex(last, r"✓ naps .*40/40")
        self.assertIn('"all"', text)

    def test_no_color_keeps_the_block_and_drops_the_colors(self):
        code, text = self.on_terminal("run", "nap", "--set", "for=200ms",
                                      environment={"NO_COLOR": "1"})
        self.assertEqual(code, 0)
        self.assertIn("\x1b[2K", text)
        self.assertIsNone(re.search(r"\x1b\[\d*m", text))

    def test_a_dumb_terminal_gets_plain_lines(self):
        code, text = self.on_terminal("run", "nap", "--set", "for=50ms",
                                      environment={"TERM": "dumb"})
        self.assertEqual(code, 0)
        self.assertNotIn("\x1b", text)

    def test_ctrl_c_on_the_terminal_cancels_the_job(self):
        typed = []

        def feed(text):
            if not typed and "● nap" in re.sub(r"\x1b\[[0-9;]*m", "", text):
                typed.append(True)
                return b"\x03"
            return None

        code, text = self.on_terminal("run", "nap", "--set", "for=1h", feed=feed)
        self.assertEqual(code, 3, text)
        self.assertIn("cancelling jobs/", text)

    # the other commands

    def submit(self, *arguments):
        return self.fermata("submit", *arguments).stdout.strip()

    def test_submit_get_watch_and_delete(self):
        name = self.submit("nap", "--set", "for=20ms")
        self.assertRegex(name, r"^jobs/[0-9a-f-]{36}$")
        watched = self.fermata("watch", name)
        self.assertIn("SUCCEEDED", watched.stdout)
        self.assertIn("nap", self.fermata("get", name).stdout)
        self.assertEqual(json.loads(self.fermata("get", name, "--result").stdout), {"slept": "20ms"})
        self.assertEqual(json.loads(self.fermata("get", name, "--input").stdout), {"for": "20ms"})
        events = [json.loads(line) for line in
                  self.fermata("--json", "watch", name).stdout.splitlines()]
        self.assertEqual(events[-1]["kind"], "FINISHED")
        self.fermata("delete", name)
        self.assertIn("JOB_NOT_FOUND", self.fermata("get", name, code=5).stderr)

    def test_cancel_waits_until_the_job_has_stopped(self):
        name = self.submit("nap", "--set", "for=1h")
        self.assertIn("CANCELLED", self.fermata("cancel", "--wait", name).stdout)
        self.assertIn("JOB_FINISHED", self.fermata("cancel", name, code=5).stderr)
        self.fermata("watch", name, code=3)

    def test_list_filters_and_limits(self):
        for _ in range(3):
            self.fermata("run", "-q", "nap", "--set", "for=1ms", "-l", "test=listing")
        table = self.fermata("list", "-l", "test=listing", "-s", "succeeded", "-n", "2").stdout
        self.assertEqual(len(table.splitlines()), 3, table)
        self.assertIn("STATE", table)
        rows = self.fermata("--json", "list", "-l", "test=listing").stdout.splitlines()
        self.assertEqual({json.loads(row)["pipeline"] for row in rows}, {"nap"})
        self.assertEqual(self.fermata("list", "-l", "test=none").stdout, "")

    def test_a_list_without_a_reader_ends_quietly(self):
        done = subprocess.run(["bash", "-o", "pipefail", "-c", '"$@" | exec true', "-"] +
                              self.command("--json", "list"), capture_output=True, encoding="utf-8",
                              timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_pipelines_and_plugins_are_shown(self):
        self.assertIn("nap", self.fermata("pipelines").stdout)
        self.assertIn("naps → done", self.fermata("pipelines").stdout)
        self.assertIn("time/delay", self.fermata("pipelines", "many").stdout)
        self.assertIn("http/get", self.fermata("plugins").stdout)
        lines = self.fermata("--json", "plugins").stdout.splitlines()
        self.assertIn("plugins/http", [json.loads(line)["name"] for line in lines])


class Local(unittest.TestCase):
    """run --local needs no daemon."""

    def setUp(self):
        self.files = Daemon(pipelines=PIPELINES)  # never started: only its folders

    def tearDown(self):
        self.files.close()

    def local(self, *arguments, code=0):
        done = subprocess.run(
            [built(FERMATA), "run", "--local", "--plugins", self.files.plugin_folder,
             "--pipelines", self.files.pipeline_folder, *arguments],
            capture_output=True, encoding="utf-8", timeout=120, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def test_a_named_pipeline_a_file_and_a_stage_run_in_process(self):
        self.assertEqual(json.loads(self.local("nap", "--set", "for=1ms").stdout), {"slept": "1ms"})
        file = os.path.join(self.files.pipeline_folder, "nap.yaml")
        self.assertEqual(json.loads(self.local(file, "--set", "for=1ms").stdout), {"slept": "1ms"})
        self.assertEqual(self.local("time/delay", "-i", '{"for":"1ms","value":3}').stdout, "3\n")

    def test_a_page_is_fetched_in_process(self):
        with WebServer({"/": b"<title>hi</title>"}) as web:
            done = self.local("http/get", "--set", "url=" + web.url("/"))
            self.assertEqual(json.loads(done.stdout)["body"], "<title>hi</title>")

    def test_the_exit_codes_are_those_of_a_server(self):
        self.local("fails", code=1)
        self.local("no-such", code=5)
        self.local("nap", "--set", "for=1h", "--timeout", "20ms", code=4)

    def test_without_plugins_it_says_what_is_missing(self):
        done = subprocess.run([built(FERMATA), "run", "--local", "nap"], capture_output=True,
                              encoding="utf-8", timeout=60, check=False,
                              env={k: v for k, v in os.environ.items() if k != "FERMATA_CONFIG"})
        self.assertEqual(done.returncode, 2)
        self.assertIn("--plugins DIR", done.stderr)

    def test_nothing_is_left_in_the_temporary_folder(self):
        empty = os.path.join(self.files.folder, "tmp")
        os.mkdir(empty)
        subprocess.run([built(FERMATA), "run", "--local", "--plugins", self.files.plugin_folder,
                        "time/delay", "-i", '{"for":"1ms"}'], check=True, capture_output=True,
                       env={**os.environ, "TMPDIR": empty})
        self.assertEqual(os.listdir(empty), [])


class PluginFiles(unittest.TestCase):
    """The commands on plugin files, given what is none."""

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def plugin(self, *command):
        return subprocess.run([built(FERMATA), "plugin", *command], capture_output=True, encoding="utf-8",
                              stdin=subprocess.DEVNULL, timeout=20, check=False)

    def test_what_is_no_file_is_refused_at_once(self):
        fifo = os.path.join(self.folder, "fifo.so")
        os.mkfifo(fifo)
        huge = os.path.join(self.folder, "huge.so")
        with open(huge, "wb") as file:
            file.truncate(200 << 30)
        lock = os.path.join(self.folder, "lock")
        for path in (fifo, huge, self.folder, "/dev/zero"):
            for command in (["check", path], ["inspect", path], ["allow", path, "--lock", lock]):
                done = self.plugin(*command)
                self.assertEqual((done.returncode, done.stdout), (2, ""), (command, done.stderr))
                self.assertIn(f"{path}: expected ", done.stderr)
            self.assertEqual(self.plugin("run", path, "upper").returncode, 1, path)
        self.assertFalse(os.path.exists(lock))

    def test_the_list_of_checks_is_json_when_asked_for(self):
        checks = json.loads(self.plugin("check", "--list", "--json").stdout)["checks"]
        self.assertEqual(checks[0]["id"], "elf-valid")
        self.assertEqual(len(checks), len(self.plugin("check", "--list").stdout.splitlines()))


class FullDisk(unittest.TestCase):
    """/dev/full takes nothing."""

    def test_a_result_that_was_not_written_is_no_success_of_any_command(self):
        with Daemon(pipelines=PIPELINES) as daemon:
            done = subprocess.run([built(FERMATA), "--server", daemon.address, "run", "nap", "--set",
                                   "for=1ms", "--json"], check=True, capture_output=True, encoding="utf-8")
            job = json.loads(done.stdout)["name"]
            plugin = os.path.join(daemon.plugin_folder, "time.so")
            for command in (["run", "nap", "--set", "for=1ms"], ["run", "nap", "--set", "for=1ms", "--json"],
                            ["submit", "nap", "--set", "for=1ms"], ["get", job], ["get", "--result", job],
                            ["watch", job], ["watch", "--json", job], ["list"], ["list", "--json"],
                            ["pipelines"], ["plugins"], ["--help"], ["--version"],
                            ["token", "new", "--principal", "me"]):
                self.refused(["--server", daemon.address, *command])
            for command in (["--help"], ["inspect", plugin], ["check", "--list"],
                            ["run", plugin, "delay", "--input", self.write(daemon, '{"for":"1ms"}')]):
                self.refused(["plugin", *command])

    @staticmethod
    def write(daemon, text):
        return daemon.write("input.json", text)

    def refused(self, command):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([built(FERMATA), *command], stdout=full, stderr=subprocess.PIPE,
                                  encoding="utf-8", timeout=120, check=False)
        self.assertEqual(done.returncode, 8, (command, done.stderr))
        self.assertIn("could not be written: No space left on device", done.stderr, command)

    def test_a_job_that_failed_still_says_so(self):
        with Daemon(pipelines=PIPELINES) as daemon, open("/dev/full", "wb") as full:
            done = subprocess.run([built(FERMATA), "--server", daemon.address, "run", "fails", "--json"],
                                  stdout=full, stderr=subprocess.PIPE, encoding="utf-8", timeout=120,
                                  check=False)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn("No space left on device", done.stderr)


class LostServer(unittest.TestCase):
    def test_a_server_that_is_restarted_is_waited_for_and_followed_on(self):
        with Daemon(pipelines=PIPELINES,
                    config="store: { directory: store }\nshutdown: { drain: 50ms }\n") as daemon:
            daemon.keep_address()
            process = subprocess.Popen(
                [built(FERMATA), "--server", daemon.address, "run", "nap", "--set", "for=3s"],
                stderr=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
            seen = ""
            while "nap: RUNNING" not in seen:
                seen += process.stderr.readline()
            self.assertEqual(daemon.stop(), 0, daemon.log)
            daemon.start()
            _, rest = process.communicate(timeout=60)
            self.assertIn("trying again", rest)
            self.assertEqual(process.returncode, 0, seen + rest)

    def test_a_server_that_dies_is_told_and_exits_6(self):
        with Daemon(pipelines=PIPELINES) as daemon:
            process = subprocess.Popen(
                [built(FERMATA), "--server", daemon.address, "run", "nap", "--set", "for=1h"],
                stderr=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
            seen = ""
            while "nap: RUNNING" not in seen:
                seen += process.stderr.readline()
            daemon.process.kill()
            daemon.process.wait()
            _, rest = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 6, seen + rest)
            self.assertIn("trying again", rest)


if __name__ == "__main__":
    main()
