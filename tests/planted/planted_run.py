"""Every planted bug against every rig that is there for it; tests/planted/run calls it."""
import argparse
import os
import re
import subprocess
import sys

HEADER = "services/config/planted_bug.h"
POWER, SIMULATION, KILL = "power loss", "simulation", "kill -9"
RIGS = (POWER, SIMULATION, KILL)
# Which rigs must find it. kill -9 leaves the kernel with everything that was written, so it cannot see
# what a disk would have lost; the power loss rig has the store alone.
FINDERS = {
    "kNone": (),
    "kSkipSync": (POWER, SIMULATION),
    "kAnswerBeforeCommit": (POWER, SIMULATION, KILL),
    "kGoOnAfterSyncError": (POWER,),
    "kServeDamage": (POWER,),
    "kDropCancelEvent": (SIMULATION, KILL),
    "kLoseStageOutput": (SIMULATION, KILL),
    "kEndTwice": (SIMULATION, KILL),
    "kForgetRequestIds": (SIMULATION, KILL),
    "kForgetTimers": (SIMULATION, KILL),
    "kEnterBeforeStored": (SIMULATION, KILL),
    "kReuseSequences": (SIMULATION, KILL),
}
ROUND = 25  # kills between two looks
TARGETS = ["//services/fermatad", "//plugins/http:http.so", "//tests/simulation:simulation_test",
           "//tests/store:sqlite_faults_test"]


def planted_bugs():
    with open(HEADER, encoding="utf-8") as header:
        return re.findall(r"^  (k\w+),", header.read(), re.MULTILINE)


def flags(choice):
    home = os.environ.get("HOME", "/var/tmp")
    caches = os.environ.get("XDG_CACHE_HOME", os.path.join(home, ".cache"))
    cache = os.environ.get("FERMATA_DISK_CACHE", os.path.join(caches, "fermata-bazel"))
    return ["--config=release", "--define=planted_bug=" + choice, "--disk_cache=" + cache]


def build(choice):
    subprocess.run(["bazel", "build", *flags(choice), "--curses=no", "--color=no", "--show_progress_rate_limit=60",
                    "--ui_event_filters=-info,-debug", *TARGETS], check=True)
    return subprocess.run(["bazel", "info", *flags(choice), "bazel-bin"], check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, encoding="utf-8").stdout.strip()


def play(command, **environment):
    done = subprocess.run(command, env={**os.environ, **environment}, encoding="utf-8", errors="replace",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout


# Each gives (found, how soon, the first thing it said).


def power_loss(programs, _):
    code, text = play([programs + "/tests/store/sqlite_faults_test", "--gtest_brief=1", "--gtest_fail_fast"])
    failed = re.search(r"\[  FAILED  \] (\S+?)[ ,]", text)
    at = re.search(r"at operation (\d+)", text)
    soon = "operation %s" % at.group(1) if at else failed.group(1) if failed else "exit code %d" % code
    return code != 0, soon, text


def simulation(programs, arguments):
    code, text = play([programs + "/tests/simulation/simulation_test", "--gtest_brief=1",
                       "--gtest_filter=Simulation.NothingAcknowledged*"],
                      FERMATA_SEEDS=str(arguments.seeds), FERMATA_FROM="0")
    seed = re.search(r"seed (\d+):\n(.*)", text)
    soon = "seed %s" % seed.group(1) if seed else "exit code %d" % code
    return code != 0, soon, seed.group(2) if seed else text


def kill(programs, arguments):
    code, text = play(["/usr/bin/python3", "-B", "tests/crash/kill_run.py", "--kills", str(arguments.kills),
                       "--round", str(ROUND), "--seed", str(arguments.seed)], FERMATA_BUILD=programs)
    kills = re.search(r"^(\d+) kills of the daemon", text, re.MULTILINE)
    soon = "%s kills" % kills.group(1) if kills else "exit code %d" % code
    violation = re.search(r"VIOLATION: (.*)", text)
    return code != 0, soon, violation.group(1) if violation else text


LOOK = {POWER: power_loss, SIMULATION: simulation, KILL: kill}


def judge(bug, rig, programs, arguments):
    """(what the table says, whether that is as it should be)."""
    wanted = rig in FINDERS[bug]
    if bug != "kNone" and not wanted:
        return "", True
    os.environ["FERMATA_PLANTED_BUG"] = bug
    found, soon, said = LOOK[rig](programs, arguments)
    if found:
        print("%s, %s: %s: %s" % (bug, rig, soon, said.strip()[:600]), flush=True)
    return ("found, " + soon) if found else "not found", found == wanted


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bugs", nargs="*", metavar="BUG", help="all of them, and none")
    parser.add_argument("--kills", type=int, default=200, help="at most, and of a build without a bug")
    parser.add_argument("--seeds", type=int, default=2000, help="likewise")
    parser.add_argument("--seed", type=int, default=1, help="of the kills")
    arguments = parser.parse_args()
    if set(planted_bugs()) != set(FINDERS) | {"kByEnvironment"}:
        sys.exit("expected the bugs of %s, got %s" % (HEADER, sorted(FINDERS)))
    rows, passed, failed = [], 0, 0
    try:
        programs = build("kByEnvironment")
        for bug in arguments.bugs or FINDERS:
            row = [bug]
            for rig in RIGS:
                cell, good = judge(bug, rig, programs, arguments)
                row.append(cell if good else cell + " (!)")
                passed, failed = passed + (good and cell != ""), failed + (not good)
            rows.append(row)
            print("| " + " | ".join(row) + " |", flush=True)
    finally:
        build("kNone")  # nobody finds a program with a bug in it
    print("\n| bug | %s |\n|---|---|---|---|" % " | ".join(RIGS))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(0 if failed == 0 else 1)


if __name__ == "__main__":
    main()
