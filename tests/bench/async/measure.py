"""One measurement of suite R: a program, pinned, on a machine that is as quiet as it gets.

Others' work is the largest source of error. So what is measured goes before all else on its core
(where the user may: as root), waits a while for a quiet moment, and is measured again when other
processes used much of that core meanwhile.
"""
import contextlib
import json
import mmap
import os
import resource
import signal
import socket
import subprocess
import time

import programs

SERVER_CORE, LOAD_CORE = 0, 1
QUIET, NOISY = 0.10, 0.20  # of a core, used by others: to begin, to be measured again
CONNECTIONS, ECHO_SECONDS = 50, 2.5
TICK = os.sysconf("SC_CLK_TCK")
WARM_BYTES = 128 << 20
# Over in a second. What disturbs so short a run only ever makes it longer, so of several, whoever's
# they are, the fastest is the one that says what the program costs.
SHORT = ("R1", "R2", "R3a", "R3b", "R5", "R6", "R9")
SHORT_RUNS = 3


class NotAvailable(Exception):
    """The program does not answer this test; the reason is the message."""


def cores_of(test):
    """Where the program of a test runs; R7's load generator has the other core."""
    return {SERVER_CORE, LOAD_CORE} if test in ("R7", "R8") else {SERVER_CORE}


def _busy_seconds(cores):
    names = ["cpu%d" % core for core in cores]
    busy = 0
    with open("/proc/stat", encoding="ascii") as file:
        for line in file:
            name, *fields = line.split()
            if name in names:
                busy += sum(int(field) for field in fields[:3] + fields[5:7])
    return busy / TICK


def _our_seconds():
    """Of this process and its ended children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


class Others:
    """How much of these cores other processes used since it was made."""

    def __init__(self, cores):
        self.cores = cores
        self.start, self.busy, self.ours = time.monotonic(), _busy_seconds(cores), _our_seconds()

    def used(self):
        seconds = time.monotonic() - self.start
        ours = _our_seconds() - self.ours
        return max(0.0, (_busy_seconds(self.cores) - self.busy - ours) / seconds)


def wait_until_quiet(cores, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        others = Others(cores)
        time.sleep(0.4)
        if others.used() < QUIET:
            return


def _warm_memory():
    """Takes free memory back from a virtual machine's host, before it is whoever's turn.

    Where the host does that (free page reporting), it takes all that is free for some seconds, and
    the first touch of 2 MiB then costs 10 ms instead of 0.3: no runtime's doing.
    """
    with mmap.mmap(-1, WARM_BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory.madvise(mmap.MADV_HUGEPAGE)
        for offset in range(0, WARM_BYTES, mmap.PAGESIZE):
            memory[offset] = 1


def _on(cores):
    def apply():
        os.sched_setaffinity(0, cores)
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, -20)
    return apply


def _failure(done):
    message = programs.complaint(done.stderr) if done.stderr.strip() else "printed no result"
    return NotAvailable("exit %d, %s" % (done.returncode, message))


def _call(program, command, test):
    """One run; the JSON object it printed."""
    try:
        done = subprocess.run(command + [test], env=program.environment(), text=True, timeout=180,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                              preexec_fn=_on(cores_of(test)))
    except subprocess.TimeoutExpired:
        raise NotAvailable("no result after 180 s") from None
    rows = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not rows:
        raise _failure(done)
    return json.loads(rows[-1])


def _cpu_seconds(pid):
    with open("/proc/%d/stat" % pid, encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(port, server):
    end = time.monotonic() + 10
    while time.monotonic() < end and server.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.02)
    raise NotAvailable("its echo server did not start")


def _load(port, seconds):
    done = subprocess.run(
        [programs.load_generator(), str(port), str(CONNECTIONS), str(seconds)], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=60,
        preexec_fn=_on({LOAD_CORE}))
    if done.returncode:
        raise _failure(done)
    return json.loads(done.stdout)


def _echo(program, command):
    port = _free_port()
    server = subprocess.Popen(command + ["R7", str(port)], env=program.environment(),
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              preexec_fn=_on({SERVER_CORE}))
    try:
        _wait_for(port, server)
        _load(port, 0.5)
        before = _cpu_seconds(server.pid)
        load = _load(port, ECHO_SECONDS)
        used = _cpu_seconds(server.pid) - before
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()
    return {"per_cpu_second": load["requests"] / used, "per_second":
            load["requests"] / load["seconds"], "busy": used / load["seconds"],
            "p50_us": load["p50_us"], "p99_us": load["p99_us"]}


def _first_answer(program, test):
    reasons = []
    for command in program.commands:
        try:
            if test == "R7":
                return _echo(program, command)
            runs = [_call(program, command, test) for _ in range(SHORT_RUNS if test in SHORT else 1)]
            return min(runs, key=lambda figures: figures.get("ns", 0))
        except NotAvailable as why:
            reasons.append(str(why))
    raise NotAvailable(reasons[-1])


def measure(program, test, patience, tries=2):
    """The figures of one test. Repeated while others disturb it; the quietest try is kept."""
    if program.reason:
        raise NotAvailable(program.reason)
    best, noise = None, float("inf")
    for _ in range(tries):
        wait_until_quiet(cores_of(test), patience)
        _warm_memory()
        others = Others(cores_of(test))
        figures = _first_answer(program, test)
        used = others.used()
        if used < noise:
            best, noise = figures, used
        if noise < NOISY:
            break
    return {**best, "others": noise}
