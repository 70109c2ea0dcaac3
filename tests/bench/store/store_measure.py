"""The measurements of tests/bench/store/run: what a stored job costs the real server, against what is required."""
import argparse
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import measure  # pylint: disable=wrong-import-position

OPEN_SECONDS = 2.0  # from kill -9 to serving
RESIDENT_BYTES = 1 << 30
DURABLE_RATIO = 0.8  # of memory mode
OUTSTANDING = 64
# Retention must not empty what was filled.
CONFIG = """listen: "127.0.0.1:0"
metrics: "127.0.0.1:0"
plugins: { folder: plugins }
store: { directory: store }
retention: { jobs: 100000000, bytes: 64GiB, age: 240h }
log: { level: warning }
"""


class Server:
    """fermatad on a folder of its own, which outlives it."""

    def __init__(self, parent, config=CONFIG):
        self.folder = tempfile.mkdtemp(prefix="fermata-bench-", dir=parent)
        self.store = os.path.join(self.folder, "store")
        plugins = os.path.join(self.folder, "plugins")
        os.mkdir(plugins)
        shutil.copy(measure.built("plugins/time/time.so"), plugins)
        os.chmod(os.path.join(plugins, "time.so"), 0o644)
        self._config = os.path.join(self.folder, "fermata.yaml")
        with open(self._config, "w", encoding="utf-8") as out:
            out.write(config)
        self._process = None
        self.address = self._metrics = ""

    def start(self):
        """How many seconds it took until it answered."""
        begin = time.monotonic()
        # pylint: disable-next=consider-using-with
        self._process = subprocess.Popen(
            [measure.built("services/fermatad/fermatad"), "--config", self._config],
            stdout=subprocess.PIPE, text=True)
        line = self._process.stdout.readline()
        found = re.search(r"gRPC on (\S+?), metrics on (\S+?),", line)
        if not found:
            raise SystemExit("bench: fermatad did not start: %r" % line)
        self.address, self._metrics = found.groups()
        return time.monotonic() - begin

    def kill(self):
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def load(self, method, seconds):
        return measure.measure(self.address, self._process.pid, method, "outstanding", OUTSTANDING, seconds)

    def pending(self):
        with urllib.request.urlopen(self._metrics) as answer:
            return float(re.search(r'fermata_jobs\{state="PENDING"\} (\S+)', answer.read().decode()).group(1))

    def resident_bytes(self):
        with open("/proc/%d/status" % self._process.pid, encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+) kB", file.read()).group(1)) * 1024

    def close(self):
        if self._process is not None and self._process.poll() is None:
            self.kill()
        if self._process is not None:
            self._process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def say(good, text):
    print("%s %s" % ("ok    " if good else "MISSED", text), flush=True)
    return good


def reopen(server, what):
    server.start()
    server.load("submit", 0.2)
    server.kill()
    seconds = server.start()
    server.load("submit", 0.2)  # and it does answer
    return say(seconds < OPEN_SECONDS, "kill -9 to serving with %s: %.2f s, required < %.1f s"
               % (what, seconds, OPEN_SECONDS))


def opening(arguments):
    good = True
    for kind in ("pending", "finished"):
        server = Server(arguments.dir)
        try:
            subprocess.run([measure.built("tests/bench/store/store_bench"), "fill", server.store,
                            str(arguments.jobs), kind], check=True)
            good = reopen(server, "%d %s jobs" % (arguments.jobs, kind)) and good
        finally:
            server.close()
    return good


def resident(arguments):
    """All of them come in through gRPC, and are there again after a kill."""
    server = Server(arguments.dir)
    try:
        server.start()
        while server.pending() < arguments.jobs:
            server.load("queue", 5)
        resident_bytes, pending = server.resident_bytes(), server.pending()
        good = say(resident_bytes < RESIDENT_BYTES, "%d pending jobs: %.0f MiB resident, required < %d MiB"
                   % (pending, resident_bytes / 2**20, RESIDENT_BYTES >> 20))
        server.kill()
        server.start()
        return say(server.pending() >= pending - 10000, "%d of them wait after kill -9, the others run"
                   % server.pending()) and good
    finally:
        server.close()


def durable(arguments):
    keep = CONFIG.replace("jobs: 100000000", "jobs: 20000")
    servers = [Server(arguments.dir, keep.replace("store: { directory: store }", 'store: { directory: "" }')),
               Server(arguments.dir, keep)]
    try:
        for server in servers:
            server.start()
            server.load("submit", 1)
        ratios = []
        for _ in range(arguments.rounds):
            # There and back in short turns, so that a machine that slows down or speeds up hits both.
            turns = [servers[i].load("submit", arguments.seconds / 4) for i in (0, 1, 1, 0) * 2]
            memory, disk = (
                {what: statistics.mean(turns[i][what] for i in which) for what in ("per_second", "server_cpu_us")}
                for which in ((0, 3, 4, 7), (1, 2, 5, 6)))
            ratios.append(disk["per_second"] / memory["per_second"])
            print("       memory %.0f/s %.1f us, durable %.0f/s %.1f us: %.2f" % (
                memory["per_second"], memory["server_cpu_us"], disk["per_second"],
                disk["server_cpu_us"], ratios[-1]), flush=True)
        ratio = statistics.median(ratios)
        return say(ratio >= DURABLE_RATIO, "durable to memory mode, %d outstanding: %.2f (%.2f to %.2f), required >= %.1f"
                   % (OUTSTANDING, ratio, min(ratios), max(ratios), DURABLE_RATIO))
    finally:
        for server in servers:
            server.close()


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/store/run", description=__doc__)
    parser.add_argument("what", nargs="*", default=["opening", "resident", "durable"])
    parser.add_argument("--jobs", type=int, default=1000000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3.0)
    # Not on /tmp, which may be memory: syncs must cost what they cost.
    parser.add_argument("--dir", default="/var/tmp")
    arguments = parser.parse_args()
    print("load %.1f, %d CPUs" % (os.getloadavg()[0], os.cpu_count()), flush=True)
    measures = {"opening": opening, "resident": resident, "durable": durable}
    good = [measures[what](arguments) for what in arguments.what]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
