"""Suite R in one run: rounds of all programs and tests in turn, medians, ratios to the best peer."""
import argparse
import json
import os
import platform
import sys
import time

import measure
import programs
import report

TESTS = ["R1", "R2", "R3a", "R3b", "R4", "R5", "R6", "R7", "R8", "R9", "R10"]
OWN_PEERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers")


def options():
    parser = argparse.ArgumentParser(
        prog="tests/bench/async/run", description="Suite R, ours beside other runtimes.")
    parser.add_argument("--peers", metavar="DIR", help="a folder with one folder for each peer")
    parser.add_argument("--rounds", type=int, default=3, help="the median is shown (default 3)")
    parser.add_argument("--tests", default=",".join(TESTS), help="such as R1,R7 (default all)")
    parser.add_argument("--only", metavar="NAMES", help="only these peers, such as tokio,go")
    parser.add_argument("--patience", type=float, default=5, metavar="S",
                        help="wait so long for a quiet moment before each measurement (default 5)")
    parser.add_argument("--json", metavar="FILE", help="also writes all samples")
    parser.add_argument("--work", metavar="DIR", help="where peers are built",
                        default=os.path.join(os.environ.get("XDG_CACHE_HOME") or
                                             os.path.expanduser("~/.cache"), "fermata-bench-peers"))
    arguments = parser.parse_args()
    arguments.tests = [test for test in TESTS if test in arguments.tests.split(",")]
    if not arguments.tests:
        parser.error("no such test; there are: " + " ".join(TESTS))
    if arguments.peers and not os.path.isdir(arguments.peers):
        parser.error("%s is no folder" % arguments.peers)
    if len(os.sched_getaffinity(0) & {measure.SERVER_CORE, measure.LOAD_CORE}) < 2:
        parser.error("cores 0 and 1 are needed, and this process may not use both")
    return arguments


def rounds(arguments, everybody):
    results = report.Results([program.name for program in everybody])
    disturbed = 0
    for number in range(1, arguments.rounds + 1):
        for test in arguments.tests:
            for program in everybody:
                if (program.name, test) in results.reasons:
                    continue
                try:
                    figures = measure.measure(program, test, arguments.patience)
                except measure.NotAvailable as why:
                    results.reasons[program.name, test] = str(why)
                    continue
                disturbed += figures["others"] >= measure.NOISY
                results.add(program.name, test, figures)
            print("round %d of %d: %s" % (number, arguments.rounds, test), file=sys.stderr)
    return results, disturbed


def machine():
    model = "?"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return "%s, %d cores, %s" % (model, os.cpu_count(), platform.release())


def main():
    arguments = options()
    folders = [folder for folder in (arguments.peers, OWN_PEERS) if folder]
    print("building the peers", file=sys.stderr)
    found = programs.peers(folders, arguments.work)
    if arguments.only:
        found = [program for program in found if program.name in arguments.only.split(",")]
    for program in found:
        if program.reason:
            print("%s cannot be measured: %s" % (program.name, program.reason), file=sys.stderr)
    results, disturbed = rounds(arguments, [programs.ours()] + found)

    print("%s; %s; %d rounds" % (time.strftime("%Y-%m-%d %H:%M"), machine(), arguments.rounds))
    print("\n".join(report.table(results, arguments.tests)))
    if disturbed:
        print("%d measurements were disturbed: others used more than %.2f of a core in every try" % (
            disturbed, measure.NOISY))
    print()
    judged = list(report.verdicts(results, arguments.tests))
    print("\n".join(line for _, line in judged))
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as out:
            json.dump({"machine": machine(), "samples": results.samples, "reasons": {
                "%s %s" % key: reason for key, reason in results.reasons.items()}}, out, indent=1)
            out.write("\n")
    return 1 if any(passed is False for passed, _ in judged) else 0


if __name__ == "__main__":
    sys.exit(main())
