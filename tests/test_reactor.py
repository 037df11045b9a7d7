"""Which reactor runs: the choice, that it is told, and that every client work goes over it."""

import os
import re
import ssl
import subprocess
import sys
import urllib.request

import pytest

from conftest import BINARY, REACTOR

# A seccomp filter as containers have it: io_uring_setup (425) fails with EPERM. Then runs the rest.
FORBID_IO_URING = """
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
program = b"".join(struct.pack("HBBI", *step) for step in
                   [(0x20, 0, 0, 0), (0x15, 0, 1, 425), (0x06, 0, 0, 0x00050001),
                    (0x06, 0, 0, 0x7fff0000)])
buffer = ctypes.create_string_buffer(program)
filter_ = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(buffer))
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, filter_, 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""


def metrics(demo):
    context = ssl.create_default_context(cafile=demo.ready["ca_file"])
    with urllib.request.urlopen(demo.ready["admin"]["url"] + "/metrics", context=context) as answer:
        return answer.read().decode()


def runs(demo):
    return re.findall(r'^sallyport_reactor_info{reactor="(\w+)"} 1$', metrics(demo), re.M)


def works(demo):
    return demo.psql("dana", "select 1 + 1").stdout.strip() == "2"


def io_uring_works_here():
    try:
        with open("/proc/sys/kernel/io_uring_disabled") as file:
            return file.read().strip() == "0"
    except FileNotFoundError:
        return False


def test_the_metric_tells_the_reactor_of_this_run(demo):
    if REACTOR in ("io_uring", "epoll"):
        assert runs(demo) == [REACTOR]
    else:
        assert runs(demo) == ["io_uring" if io_uring_works_here() else "epoll"]
    assert works(demo)


@pytest.mark.parametrize("reactor", ["epoll", "io_uring"])
def test_a_reactor_can_be_forced(start_demo, reactor):
    if reactor == "io_uring" and not io_uring_works_here():
        pytest.skip("no io_uring on this machine")
    demo = start_demo("--reactor", reactor)
    assert runs(demo) == [reactor]
    assert works(demo)


def test_where_io_uring_is_forbidden_epoll_runs_and_the_log_says_why(start_demo, tmp_path):
    config = tmp_path / "over.yaml"
    config.write_text("log: {level: info}\n")
    demo = start_demo("--reactor", "auto", "--config", str(config),
                      wrapper=[sys.executable, "-c", FORBID_IO_URING])
    assert runs(demo) == ["epoll"]
    assert works(demo)
    assert re.search(r"reactor .*runs=epoll.*because=.*io_uring: not permitted", demo.output())


def test_io_uring_by_force_does_not_start_where_it_is_forbidden(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FORBID_IO_URING, BINARY, "demo", "--no-wait", "--data",
         str(tmp_path / "data"), "--reactor", "io_uring"],
        capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
    assert done.returncode == 2
    assert "io_uring: not permitted" in done.stderr
    assert "--reactor auto" in done.stderr


def test_an_unknown_reactor_is_refused(tmp_path):
    done = subprocess.run([BINARY, "serve", "--config", "x", "--reactor", "kqueue"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "--reactor" in done.stderr + done.stdout and "epoll" in done.stderr + done.stdout
