"""The programs that suite R runs: ours, and what is found and can be built below a folder of peers.

A peer is a folder of one of three kinds:
  build.sh    builds <folder>bench, and whatever else, into the folder named by $B
  bench.py    run with Python; a second time with --uvloop where its text knows that option
  bench.js    run with node, with a stack that is deep enough for R6
Each is called with the name of a test, R7 also with a port, and prints one JSON line. Two folders of
the same name are one peer: a test goes to the first of its programs that knows it.
"""
import contextlib
import os
import shutil
import subprocess

PYTHON = "/usr/bin/python3"
BUILD_SECONDS = 900  # tokio from its sources takes three minutes on two cores
# What a runtime needs to be what the suite measures: one thread, but for R8.
ENVIRONMENT = {"go": {"GOMAXPROCS": "1"}}


class Program:
    """Something that answers the tests of suite R, or the reason why it cannot."""

    def __init__(self, name, commands=(), reason=None):
        self.name = name
        self.commands = list(commands)
        self.reason = reason

    def environment(self):
        return {**os.environ, **ENVIRONMENT.get(self.name, {})}


def ours():
    return Program("fermata", [[os.path.join(os.environ["FERMATA_BUILD"],
                                             "tests/bench/async/runtime")]])


def load_generator():
    return os.path.join(os.environ["FERMATA_BUILD"], "tests/bench/async/echo_load")


def complaint(text):
    """The line of a program's output that says most: one with an error, or the last."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "rror" in line]
    return (errors or lines or ["no message"])[-1][:120]


def _build(folder, name, work):
    """Runs build.sh; the program it made, or the reason why there is none."""
    with open(os.path.join(folder, "build.sh"), encoding="utf-8") as script:
        if name + "bench" not in script.read():
            return None  # it builds something else
    binaries, scratch = os.path.join(work, "bin"), os.path.join(work, "build")
    os.makedirs(binaries, exist_ok=True)
    os.makedirs(scratch, exist_ok=True)
    binary = os.path.join(binaries, name + "bench")
    with contextlib.suppress(FileNotFoundError):
        os.remove(binary)  # of an earlier run, built from who knows what
    try:
        done = subprocess.run(
            ["bash", os.path.join(folder, "build.sh")], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            timeout=BUILD_SECONDS, env={**os.environ, "B": binaries, "W": scratch})
    except subprocess.TimeoutExpired:
        return Program(name, reason="build.sh was not done after %d s" % BUILD_SECONDS)
    if done.returncode or not os.access(binary, os.X_OK):
        return Program(name, reason="build.sh failed: " + complaint(done.stdout))
    return Program(name, [[binary]])


def _python(folder, name):
    script = os.path.join(folder, "bench.py")
    yield Program(name, [[PYTHON, script]])
    with open(script, encoding="utf-8") as text:
        if "--uvloop" not in text.read():
            return
    there = subprocess.run([PYTHON, "-c", "import uvloop"], stderr=subprocess.DEVNULL, check=False)
    if there.returncode:
        yield Program("uvloop", reason="Python has no uvloop")
    else:
        yield Program("uvloop", [[PYTHON, script, "--uvloop"]])


def _node(folder, name):
    if not shutil.which("node"):
        return Program(name, reason="node is not installed")
    return Program(name, [["node", "--stack-size=4000", os.path.join(folder, "bench.js")]])


def _find(folder, work):
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if os.path.exists(os.path.join(path, "build.sh")):
            program = _build(path, name, os.path.join(work, name))
            if program:
                yield program
        elif os.path.exists(os.path.join(path, "bench.py")):
            yield from _python(path, name)
        elif os.path.exists(os.path.join(path, "bench.js")):
            yield _node(path, name)


def peers(folders, work):
    """Every peer below the folders, built; those of the same name are joined."""
    found = {}
    for number, folder in enumerate(folders):
        for program in _find(folder, os.path.join(work, str(number))):
            known = found.setdefault(program.name, program)
            if known is not program:
                known.commands += program.commands
                known.reason = None if known.commands else known.reason
    return list(found.values())
