"""The part of deploy/quickstart that runs once all is installed and built; see there for its use."""
import argparse
import json
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from demo import checks, pages, report, services  # noqa: E402


def parse_arguments():
    parser = argparse.ArgumentParser(prog="deploy/quickstart")
    parser.add_argument("urls", nargs="*", metavar="URL")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--check", action="store_true")
    return parser.parse_args()


def scrape(stack, arguments):
    """Runs the scenario; returns the facts that the report and the checks look at."""
    if arguments.urls:
        found, dead = [], {}
        urls = arguments.urls
    else:
        found = pages.find_pages()
        web = stack.start_web(found)
        urls, dead = pages.with_dead_ones(web, found)
        print("%d pages of installed documentation on %s, and %d dead URLs" % (
            len(found), web, len(dead)))
    stack.start_fermatad()
    print("fermatad on %s, metrics on %s" % (stack.address, stack.metrics_url))
    before = stack.metrics()
    job = stack.run_job("scrape", {"urls": urls})
    after = stack.metrics()
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as out:
            json.dump(job, out, ensure_ascii=False, indent=1)
            out.write("\n")
    return {"urls": urls, "dead": dead, "pages": found, "job": job, "before": before, "after": after}


def main():
    arguments = parse_arguments()
    # Ends of every kind unwind the stack, which stops what was started.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(130))
    stack = services.Stack(keep=arguments.keep)
    code = 0
    try:
        with stack:
            facts = scrape(stack, arguments)
            report.show(facts)
        if arguments.keep:
            print(stack.where())
        if arguments.check:
            code = checks.run(facts, stack)
        elif facts["job"]["state"] != "SUCCEEDED":
            code = 1
    except KeyboardInterrupt:
        print("interrupted; everything that was started has been stopped", file=sys.stderr)
        code = 130
    except services.Failed as failed:
        print("quickstart: %s" % failed, file=sys.stderr)
        code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
