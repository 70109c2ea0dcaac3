"""The long form of soak_test.py; tests/soak/run builds what it needs and calls it."""
import argparse
import sys

from samples import growth, warm
from soak import run_soak


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--config", default="", help="more lines for fermata.yaml")
    arguments = parser.parse_args()
    told = -1

    def progress(sample):
        nonlocal told
        if sample.seconds // 60 > told:
            told = sample.seconds // 60
            print("%4.0f s  %6.1f MiB  %d descriptors  %d threads"
                  % (sample.seconds, sample.rss_bytes / 2**20, sample.fds, sample.threads), flush=True)

    report = run_soak(arguments.minutes * 60, config=arguments.config, progress=progress)
    steady = warm(report.samples)
    print("%d jobs; at most %.0f/s, then %.0f/s; after the warm-up %+.2f MiB and %+.1f descriptors in %.0f s"
          % (report.jobs, report.peak, report.rate, growth(steady, "rss_bytes") / 2**20,
             growth(steady, "fds"), steady[-1].seconds - steady[0].seconds))
    for problem in report.problems:
        print("PROBLEM: " + problem)
    good = not report.problems
    print("%d passed, %d failed" % (1 if good else 0, 0 if good else 1))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
