"""The long form of kill_test.py; tests/crash/run builds what it needs and calls it."""
import argparse
import sys
import time

from kills import Report, run_kills


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--config", default="", help="more lines for fermata.yaml")
    parser.add_argument("--round", type=int, default=0,
                        help="look for violations after every so many kills, and end at the first")
    arguments = parser.parse_args()
    print("seed %d" % arguments.seed, flush=True)
    begin = time.monotonic()

    def progress(report):
        if report.kills % 50 == 0:
            print("%d kills, %.0f s" % (report.kills, time.monotonic() - begin), flush=True)

    report = Report()
    while report.kills < arguments.kills and not report.violations:
        kills = min(arguments.round or arguments.kills, arguments.kills - report.kills)
        part = run_kills(kills, arguments.seed + report.kills, arguments.clients, arguments.config, progress)
        report.add(part)
    for violation in report.violations:
        print("VIOLATION: " + violation)
    print("%d kills of the daemon, %d jobs, %d of them lost in a stage that may not begin twice, %d violations, %.0f s"
          % (report.kills, report.jobs, report.lost, len(report.violations), time.monotonic() - begin))
    good = not report.violations and report.kills >= arguments.kills
    print("%d passed, %d failed" % (1 if good else 0, 0 if good else 1))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
