"""Counts test cases from the reports that Bazel's build event log names, and says which failed.

usage: count_results.py EVENTS.json BAZEL_EXIT_CODE

A target that did not build, timed out or wrote no report counts as one case, failed unless Bazel
says that it passed. The last line is `N passed, N failed`; the exit code is 0 only when something
ran, nothing failed and Bazel itself agrees.
"""
import json
import sys
import urllib.parse
import xml.etree.ElementTree as xml


def events(path):
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def cases(report):
    """(name, failed) of each test case in one JUnit report; none when it has no cases."""
    try:
        root = xml.parse(report).getroot()
    except (OSError, xml.ParseError):
        return
    for case in root.iter("testcase"):
        if case.get("status") == "notrun" or case.find("skipped") is not None:
            continue
        name = "%s.%s" % (case.get("classname") or "", case.get("name") or "")
        yield name.strip("."), case.find("failure") is not None or case.find("error") is not None


def report_of(result):
    for output in result.get("testActionOutput", []):
        if output.get("name") == "test.xml":
            return urllib.parse.unquote(urllib.parse.urlparse(output["uri"]).path)
    return None


def count(path):
    passed, failed = 0, []
    seen_results = set()
    unbuilt = set()
    for event in events(path):
        key = event.get("id", {})
        if "testResult" in event:
            label = key["testResult"]["label"]
            seen_results.add(label)
            result = event["testResult"]
            good = result.get("status") == "PASSED"
            bad_cases = 0
            total = 0
            for name, bad in cases(report_of(result) or ""):
                total += 1
                if bad:
                    bad_cases += 1
                    failed.append("%s %s" % (label, name))
                else:
                    passed += 1
            if total == 0 and good:
                passed += 1
            if not good and bad_cases == 0:
                failed.append("%s %s" % (label, result.get("status", "NO STATUS")))
        elif "completed" in event and not event["completed"].get("success"):
            unbuilt.add(key["targetCompleted"]["label"])
        elif "aborted" in event and "targetCompleted" in key:
            unbuilt.add(key["targetCompleted"]["label"])
    failed += ["%s did not build" % label for label in sorted(unbuilt - seen_results)]
    return passed, failed


def main():
    passed, failed = count(sys.argv[1])
    bazel_status = int(sys.argv[2])
    if bazel_status and not failed:
        failed.append("bazel itself ended with %d" % bazel_status)
    for name in failed:
        print("FAILED %s" % name)
    if not passed and not failed:
        print("no test ran: are the targets named rightly?")
    print("%d passed, %d failed" % (passed, len(failed)))
    return 0 if passed and not failed and not bazel_status else 1


if __name__ == "__main__":
    sys.exit(main())
