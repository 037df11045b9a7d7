#!/usr/bin/env python3
"""Runs every *_test binary of a build folder, two at a time: unit_tests.py BUILD RESULTS [NAME].

Leaves one JUnit XML per binary in RESULTS. A binary that dies counts as one failed test.
"""
import concurrent.futures
import os
import pathlib
import subprocess
import sys
import time

TIME_LIMIT_S = 600


def run(binary, build, results, only):
    name = f"{build.name}-{binary.name}"
    report = results / f"{name}.xml"
    command = [str(binary), f"--gtest_output=xml:{report}", "--gtest_brief=1"]
    if only:
        command.append(f"--gtest_filter=*{only}*")
    start = time.monotonic()
    try:
        # Two binaries at a time on two cores: each gets the machine's own time limit, not more.
        done = subprocess.run(command, cwd=pathlib.Path.cwd(), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=TIME_LIMIT_S, errors="replace")
        code, output = done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        code, output = -1, f"{(late.stdout or b'').decode(errors='replace')}\nno end in {TIME_LIMIT_S} s"
    # A crash leaves no report, or the one of a failure in a child; either way it must count.
    if code not in (0, 1) or not report.exists():
        (results / f"{name}-died.count").write_text("0 1\n")
    return binary.name, code, output, time.monotonic() - start


def main():
    build, results = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    only = sys.argv[3] if len(sys.argv) > 3 else ""
    binaries = sorted(p for p in build.glob("src/**/*_test") if p.is_file() and os.access(p, os.X_OK))
    if not binaries:
        print("no test binaries")
        (results / f"{build.name}-none.count").write_text("0 1\n")
        return 1
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        runs = [pool.submit(run, b, build, results, only) for b in binaries]
        for one in concurrent.futures.as_completed(runs):
            name, code, output, seconds = one.result()
            print(f"{'ok    ' if code == 0 else 'FAILED'} {name} {seconds:.1f} s", flush=True)
            if code != 0:
                failed += 1
                print(output[-20000:], flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
