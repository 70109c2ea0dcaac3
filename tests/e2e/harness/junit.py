"""unittest with a JUnit report where Bazel wants it, so that each test method counts as one case."""
import os
import sys
import time
import unittest
import xml.etree.ElementTree as xml


class _Result(unittest.TextTestResult):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.cases = []
        self._begin = 0.0

    def startTest(self, test):
        self._begin = time.monotonic()
        super().startTest(test)

    def stopTest(self, test):
        bad = [text for who, text in self.failures + self.errors
               if who is test or getattr(who, "test_case", None) is test]
        self.cases.append((test.id(), time.monotonic() - self._begin, bad))
        super().stopTest(test)


def _write_report(path, result):
    suite = xml.Element("testsuite", name="e2e", tests=str(len(result.cases)))
    for name, seconds, bad in result.cases:
        group, _, method = name.rpartition(".")
        case = xml.SubElement(suite, "testcase", classname=group.replace("__main__.", ""),
                              name=method, time="%.3f" % seconds)
        for text in bad:
            printable = "".join(c if c >= " " or c in "\n\t" else "?" for c in text)
            xml.SubElement(case, "failure", message="failed").text = printable
    # A failure outside of any test (setUpClass) is a case of its own.
    ids = {name for name, _, _ in result.cases}
    for who, text in result.errors:
        if who.id() not in ids and not hasattr(who, "test_case"):
            case = xml.SubElement(suite, "testcase", classname="fixture", name=who.id())
            xml.SubElement(case, "error", message="failed").text = text
    xml.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def main():
    """Runs the tests of the calling script; exits 1 when one failed or none ran."""
    runner = unittest.TextTestRunner(verbosity=2, resultclass=_Result)
    program = unittest.main(module="__main__", testRunner=runner, exit=False)
    report = os.environ.get("XML_OUTPUT_FILE")
    if report:
        _write_report(report, program.result)
    sys.exit(0 if program.result.wasSuccessful() and program.result.testsRun else 1)
