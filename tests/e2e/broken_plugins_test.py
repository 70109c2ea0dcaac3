"""Broken plugin files are refused with what is wrong and what to do; the others load."""
import json
import os
import subprocess
import unittest

from harness import Daemon, built, jobs_pb2, main, plugins_pb2


def time_so():
    with open(built("plugins/time/time.so"), "rb") as file:
        return file.read()


def http_so():
    with open(built("plugins/http/http.so"), "rb") as file:
        return file.read()


def replaced(data, old, new):
    assert old in data and len(old) == len(new), old
    return data.replace(old, new)


def broken_files():
    """File name -> (bytes, what the refusal must say)."""
    good = time_so()
    with open("/lib/x86_64-linux-gnu/libm.so.6", "rb") as file:
        foreign = file.read()
    aarch64 = good[:18] + b"\xb7\x00" + good[20:]  # e_machine
    return {
        "empty.so": (b"", ["PLG-101", "not an ELF shared object"]),
        "text.so": (b"hello, I am a plugin\n", ["PLG-101", "hell"]),
        "cut.so": (good[:len(good) // 3], ["PLG-101"]),
        "arch.so": (aarch64, ["PLG-102", "aarch64", "x86_64"]),
        "foreign.so": (foreign, ["PLG-103", "note"]),
        "symbol.so": (replaced(good, b"fermata_plugin_v1\0", b"fermata_plugin_v2\0"),
                      ["PLG-112", "fermata_plugin_v1"]),
        "library.so": (replaced(http_so(), b"libcurl.so.4\0", b"libcurl.so.x\0"),
                       ["PLG-120", "libcurl.so.x"]),
    }


class BrokenPlugins(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broken = broken_files()
        cls.daemon = Daemon(
            plugin_files={name: data for name, (data, _) in cls.broken.items()}).__enter__()
        listed = cls.daemon.plugins.List(plugins_pb2.ListPluginsRequest(page_size=100)).plugins
        cls.by_file = {plugin.file.rpartition("/")[2]: plugin for plugin in listed}

    @classmethod
    def tearDownClass(cls):
        cls.daemon.close()

    def test_every_file_is_listed(self):
        self.assertEqual(len(self.by_file), len(self.broken) + 5)

    def test_each_broken_file_is_refused_with_its_reason(self):
        for name, (_, words) in self.broken.items():
            with self.subTest(name):
                plugin = self.by_file[name]
                self.assertEqual(plugin.state, plugins_pb2.Plugin.REFUSED)
                for word in words:
                    self.assertIn(word, plugin.refusal)
                self.assertIn(name, plugin.refusal)
                self.assertEqual(len(plugin.stages), 0)

    def test_the_log_says_the_same(self):
        for name, (_, words) in self.broken.items():
            self.assertTrue(
                any(name in line and words[0] in line for line in self.daemon.log.splitlines()), name)

    def test_the_good_ones_load_and_run(self):
        for name in ("http", "html", "json", "time", "file"):
            self.assertEqual(self.by_file[name + ".so"].state, plugins_pb2.Plugin.LOADED)
        ended = self.daemon.jobs.Run(jobs_pb2.RunJobRequest(
            job=jobs_pb2.Job(stage="time/delay", input=b'{"for":"1ms","value":1}')))
        self.assertEqual(ended.result, b"1")

    def test_the_command_line_shows_them(self):
        shown = subprocess.run(
            [built("services/cli/fermata"), "--server", self.daemon.address, "plugins"],
            check=True, capture_output=True, encoding="utf-8").stdout
        for name, (_, words) in self.broken.items():
            self.assertTrue(any(words[0] in line and name in line for line in shown.splitlines()), shown)
        self.assertIn("http/get", shown)

    def test_the_metrics_count_them(self):
        numbers = self.daemon.metrics()
        self.assertEqual(numbers['fermata_plugins{state="refused"}'], len(self.broken))
        self.assertEqual(numbers['fermata_plugins{state="loaded"}'], 5)


class StrangeFiles(unittest.TestCase):
    """What comes into a watched folder and is no file, or has a name that is no word."""

    def setUp(self):
        self.daemon = Daemon(plugins=["time"], plugin_config="  watch: true\n  admin: admin.sock\n").__enter__()
        self.addCleanup(self.daemon.close)

    def path(self, name):
        return os.path.join(self.daemon.plugin_folder, name)

    def listed(self, *words):
        return subprocess.run(
            [built("services/cli/fermata"), "plugin", "--admin",
             os.path.join(os.path.dirname(self.daemon.plugin_folder), "admin.sock"), "list", *words],
            check=True, capture_output=True, encoding="utf-8").stdout

    def test_links_and_the_like_are_refused_as_soon_as_they_are_made(self):
        os.symlink("time.so", self.path("link.so"))
        os.mkfifo(self.path("fifo.so"))
        os.mkdir(self.path("folder.so"))
        os.link(self.path("time.so"), self.path("second.so"))
        for said in ("link.so: is a symbolic link", "fifo.so: is not a regular file",
                     "folder.so: is not a regular file", "second.so: has 2 names"):
            self.daemon.wait_for_log("result=refused: PLG-130 " + said)
            self.assertIn("PLG-130 " + said, self.listed())

    def test_a_name_writes_no_line_of_the_log_and_no_row_of_the_list(self):
        name = "x\n2026-01-01 00:00:00.000 info    all is well\tactive\r.so"
        with open(self.path(".coming"), "wb") as file:
            file.write(b"no plugin")
        os.rename(self.path(".coming"), self.path(name))
        self.daemon.wait_for_log("PLG-101 x")
        self.assertFalse([line for line in self.daemon.log.splitlines() if line.startswith("2026-01-01")])
        rows = [row for row in self.listed().splitlines() if "all is well" in row]
        self.assertEqual(len(rows), 1)
        self.assertIn("PLG-101 x", rows[0])
        refused, loaded = [json.loads(line) for line in self.listed("--json").splitlines()[::-1]]
        self.assertEqual((refused["state"], refused["calls"]), ("refused", 0))
        self.assertIn("PLG-101 x", refused["refusal"])
        self.assertEqual((loaded["plugin"], loaded["state"]), ("dev.fermata.time", "active"))
        self.assertNotIn("refusal", loaded)


if __name__ == "__main__":
    main()
