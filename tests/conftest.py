"""A running demo for the end-to-end tests: the real binary, a real PostgreSQL, on free ports."""

import gc
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

# psycopg's usual wait is select(), which knows no descriptor beyond 1,023.
os.environ.setdefault("PSYCOPG_WAIT_FUNC", "wait_selector")

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = os.environ.get("SALLYPORT_BINARY", str(ROOT / "build/asan/src/app/sallyport"))
# scripts/test runs the tests a second time with the other one.
REACTOR = os.environ.get("SALLYPORT_REACTOR", "")


# What a file of tests may leave open: some libraries keep a pipe or a log for the whole run.
DESCRIPTORS_LEFT_MAX = 50


@pytest.fixture(scope="module", autouse=True)
def no_descriptors_left(request):
    """A file of tests closes what it opened: the files behind it run in the same process."""
    before = len(os.listdir("/proc/self/fd"))
    yield
    gc.collect()
    left = len(os.listdir("/proc/self/fd")) - before
    assert left <= DESCRIPTORS_LEFT_MAX, f"{request.node.name} leaves {left} descriptors open"


def reactor_options(given=()):
    """For `demo` and `serve`: the reactor of this run, unless the test names its own."""
    return ["--reactor", REACTOR] if REACTOR and "--reactor" not in given else []


def port_base(options=()):
    """For `demo`: two free ports of its own. The usual ones would be tried by every demo of the
    machine at once; these are below the range that the kernel takes ports of clients from."""
    if "--port-base" in options:
        return []
    while True:
        base = random.SystemRandom().randrange(20000, 32000, 2)
        try:
            for port in (base, base + 1):
                socket.create_server(("127.0.0.1", port)).close()
            return ["--port-base", str(base)]
        except OSError:
            continue


class Demo:
    def __init__(self, folder, *options, wrapper=()):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self.ready_file = self.folder / "ready.json"
        self.log = open(self.folder / "demo.log", "wb")
        self.process = subprocess.Popen(
            [*wrapper, BINARY, "demo", "--no-wait", "--data", str(self.data),
             "--ready-file", str(self.ready_file),
             *port_base(options), *reactor_options(options), *options],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)
        end = time.monotonic() + 120
        while not self.ready_file.exists():
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError("the demo did not start:\n" + self.output())
            time.sleep(0.1)
        self.ready = json.loads(self.ready_file.read_text())

    def output(self):
        return (self.folder / "demo.log").read_text(errors="replace")

    def stop(self):
        """Ctrl-C; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        return self.process.returncode

    def dsn(self, user):
        return self.ready["users"][user]["dsn"]

    def psql(self, user, *commands):
        arguments = ["psql", "-X", "-A", "-t", "-v", "VERBOSITY=verbose", self.dsn(user)]
        for command in commands:
            arguments += ["-c", command]
        return subprocess.run(arguments, capture_output=True, text=True, timeout=60,
                              env={**os.environ, "PGCLIENTENCODING": "UTF8"})

    def sallyport(self, *arguments):
        return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="session")
def demo():
    folder = tempfile.mkdtemp(prefix="sallyport-e2e-")
    running = Demo(folder)
    yield running
    running.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def start_demo(tmp_path):
    """Demos of a test's own, for what would disturb others: start_demo("--sql", ...)."""
    running = []

    def start(*options, wrapper=()):
        folder = tmp_path / f"demo{len(running)}"
        folder.mkdir()
        running.append(Demo(folder, *options, wrapper=wrapper))
        return running[-1]

    yield start
    for one in running:
        one.stop()
