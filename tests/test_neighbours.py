"""A target that never answers and a client that never reads are nobody else's trouble, with one
worker for all of them."""

import os
import socket
import threading
import time

import psycopg
import pytest
from serving import Gateway, Target, free_port

ANSWER_BYTES = 400_000_000
# The usual is some milliseconds at most. What the guilty make others wait for would be 5 seconds.
SLOW_S = 1.0


class DeadTarget:
    """Accepts, and never says a word."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", free_port()), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.accepted = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                self.accepted.append(self.listener.accept()[0])
            except OSError:
                return


@pytest.fixture(scope="module")
def target():
    running = Target()
    yield running
    running.remove()


@pytest.fixture(scope="module")
def gateway(target, tmp_path_factory):
    dead = DeadTarget()
    running = Gateway(tmp_path_factory.mktemp("neighbours"), target, "workers: 1\n")
    running.dead = dead
    text = running.config.read_text()
    assert "connections:\n" in text
    running.config.write_text(text.replace("connections:\n", f"""\
connections:
  dead:
    host: 127.0.0.1
    port: {dead.port}
    database: postgres
    connect_timeout_s: 5
    tls: {{mode: disable}}
    credential: {{user: postgres, password: "file:target.secret"}}
"""))
    # A sanitizer that keeps what was freed would hide what is held.
    options = os.environ.get("ASAN_OPTIONS", "")
    os.environ["ASAN_OPTIONS"] = f"{options}:quarantine_size_mb=8"
    running.start()
    os.environ["ASAN_OPTIONS"] = options
    yield running
    running.stop()
    dead.listener.close()


def memory_mb(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) / 1024


def latencies(gateway, seconds):
    """Of statements on an old session, and of new sessions with one statement each, sorted."""
    old, new = [], []
    end = time.monotonic() + seconds
    with psycopg.connect(gateway.dsn(), autocommit=True) as connection:
        while time.monotonic() < end:
            began = time.monotonic()
            assert connection.execute("select 1").fetchone() == (1,)
            old.append(time.monotonic() - began)
            if len(old) % 20 == 0:
                began = time.monotonic()
                with psycopg.connect(gateway.dsn()) as other:
                    other.execute("select 1")
                new.append(time.monotonic() - began)
    return sorted(old), sorted(new)


def assert_served(before, during):
    for name, usual, now in zip(("statement", "new session"), before, during):
        print(f"{name}: median {usual[len(usual) // 2] * 1e3:.2f} ms before, "
              f"{now[len(now) // 2] * 1e3:.2f} ms now; longest {usual[-1] * 1e3:.1f} and "
              f"{now[-1] * 1e3:.1f} ms")
        assert len(now) >= 5
        assert now[-1] < SLOW_S


def test_a_dead_target(gateway):
    before = latencies(gateway, 2)
    refused = []

    def knock():
        began = time.monotonic()
        try:
            psycopg.connect(gateway.dsn("dead"))
        except psycopg.OperationalError as error:
            refused.append((time.monotonic() - began, str(error)))

    gateway.ticket("dead")  # not forty times at once
    doors = [threading.Thread(target=knock) for _ in range(40)]
    for door in doors:
        door.start()
    time.sleep(0.5)
    during = latencies(gateway, 3)
    for door in doors:
        door.join()
    assert len(gateway.dead.accepted) >= 40
    assert len(refused) == 40
    for seconds, message in refused:
        assert 4 < seconds < 20, message
    assert_served(before, during)


def test_a_client_that_never_reads(gateway):
    before = latencies(gateway, 2)
    memory = memory_mb(gateway.process)
    greedy = []
    for _ in range(4):
        one = psycopg.connect(gateway.dsn(), autocommit=True)
        one.pgconn.send_query(f"select repeat('x', 10000) from generate_series(1, "
                              f"{ANSWER_BYTES // 10_000})".encode())
        greedy.append(one)
    time.sleep(0.5)
    during = latencies(gateway, 3)
    grown = memory_mb(gateway.process) - memory
    for one in greedy:
        one.close()
    print(f"memory: {grown:+.1f} MB for {len(greedy)} unread answers of {ANSWER_BYTES} bytes")
    assert grown < 64
    assert_served(before, during)
