#!/usr/bin/env python3
"""Adds up the JUnit XML files and "passed failed" lines of a folder; exits 1 if anything failed.

The last line is "N passed, N failed". Skipped tests are named, and count as neither.
"""
import pathlib
import sys
import xml.etree.ElementTree as xml


def count(report):
    passed = failed = 0
    for case in xml.parse(report).getroot().iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
            print(f"FAILED {name}")
        elif case.find("skipped") is not None:
            print(f"skipped {name}")
        elif case.get("status") != "notrun":
            passed += 1
    return passed, failed


def main():
    folder = pathlib.Path(sys.argv[1])
    passed = failed = 0
    for file in sorted(folder.iterdir()):
        try:
            if file.suffix == ".xml":
                more = count(file)
            elif file.suffix == ".count":
                more = tuple(map(int, file.read_text().split()))
                if more[1]:
                    print(f"FAILED {file.stem}")
            else:
                continue
        except (xml.ParseError, ValueError) as problem:
            print(f"FAILED {file.name}: {problem}")
            more = (0, 1)
        passed, failed = passed + more[0], failed + more[1]
    print(f"{passed} passed, {failed} failed")
    # A run that tested nothing has shown nothing.
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
