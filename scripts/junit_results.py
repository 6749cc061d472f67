"""Turns ctest's JUnit file into result lines: pass|fail|skip TAB NAME.

Only a test that said itself that it skips counts as skipped; one that could not be run at all has failed.
"""

import sys
import xml.etree.ElementTree as ElementTree


def outcome(case):
    if case.get("status") == "run":
        return "pass"
    skipped = case.find("skipped")
    said_so = skipped is not None and skipped.get("message", "").startswith(("SKIP_RETURN_CODE", "SKIP_REGULAR_EXPRESSION"))
    return "skip" if said_so else "fail"


def main():
    for case in ElementTree.parse(sys.argv[1]).getroot().iter("testcase"):
        print(outcome(case), case.get("name"), sep="\t")


main()
