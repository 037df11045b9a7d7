"""How long from "revoke" to the closed socket: 200 sessions that are idle, busy and streaming at once.

Prints its figures: run with -s. Beside them is how long an ordinary `select 1` took at the same time: on a
machine that has no time for anybody, nothing is within a second, and the bound is five such commands.
"""

import json
import os
import selectors
import socket
import struct
import threading
import time

import psycopg
import pytest
from agents import Admin
from local_issuer import LocalIssuer
from own_postgres import OwnPostgres
from serving import Gateway

SESSIONS = 200
CONTROLS = 20
AUDIENCE = "https://gateway.example.com"
DELEGATION = "urn:sallyport:params:oauth:token-type:delegation"


@pytest.fixture
def target():
    one = OwnPostgres(["max_connections=300", "shared_buffers=64MB"], superuser="postgres")
    yield one
    one.stop()


@pytest.fixture
def issuer():
    one = LocalIssuer()
    yield one
    one.close()


@pytest.fixture
def gateway(tmp_path, target, issuer):
    one = Gateway(tmp_path / "gateway", target, f"""\
issuers:
  - {{issuer: "{issuer.url}", name: company, audience: "{AUDIENCE}"}}
""").start()
    yield one
    one.stop()


class Session:
    """libpq logs in, then the test speaks the protocol on its socket."""

    def __init__(self, dsn, kind):
        self.kind = kind
        self.libpq = psycopg.connect(dsn)
        self.socket = socket.socket(fileno=os.dup(self.libpq.fileno()))
        self.socket.setblocking(False)
        self.closed_at = None
        self.commands = 0
        self.took = []
        self.received = 0
        if kind == "busy":
            self.query("select 1")
        if kind == "streaming":
            self.query("select generate_series(1, 1000000000), repeat('x', 100)")

    def query(self, text):
        body = text.encode() + b"\0"
        self.asked_at = time.monotonic()
        self.socket.send(b"Q" + struct.pack("!I", 4 + len(body)) + body)

    def readable(self):
        """False at the end."""
        try:
            data = self.socket.recv(1 << 18)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        if not data:
            self.closed_at = time.monotonic()
            return False
        self.received += len(data)
        # ReadyForQuery is the last of an answer.
        if self.kind == "busy" and data[-6:-5] == b"Z":
            self.commands += 1
            self.took.append(time.monotonic() - self.asked_at)
            try:
                self.query("select 1")
            except OSError:
                pass  # closed meanwhile: recv tells
        return True


def serve(sessions, until):
    """Reads what comes, answers with the next command; returns when `until` says so."""
    selector = selectors.DefaultSelector()
    for one in sessions:
        if one.closed_at is None:
            selector.register(one.socket, selectors.EVENT_READ, one)
    while not until():
        for key, _ in selector.select(0.05):
            if not key.data.readable():
                selector.unregister(key.fileobj)
    selector.close()


def test_revocation_closes_200_sessions_within_a_second(gateway, issuer):
    admin = Admin(f"http://127.0.0.1:{gateway.ports['admin']}")
    carol = issuer.token({"sub": "carol", "aud": AUDIENCE, "client_id": "x"})
    status, made = admin.api("POST", "/api/v1/delegations", carol,
                             {"agent": "loader", "connection": "target", "for_s": 3600})
    assert status == 201, made
    agent = admin.agent_token("loader", "loader-secret")
    status, token = admin.exchange(made["id"], agent, subject_token_type=DELEGATION)
    assert status == 200, token
    status, ticket = admin.api("POST", "/api/v1/tickets", token["access_token"],
                               {"connection": "target"})
    assert status == 201, ticket
    dsn = (f"host=127.0.0.1 port={gateway.ports['postgres']} dbname=target user='{ticket['user']}' "
           f"password={ticket['ticket']} sslmode=disable connect_timeout=60")

    controls = [Session(gateway.dsn(), "busy") for _ in range(CONTROLS)]
    kinds = ["idle"] * 60 + ["busy"] * 120 + ["streaming"] * 20
    sessions = [Session(dsn, kind) for kind in kinds]
    assert len(sessions) == SESSIONS
    warm_up = time.monotonic() + 3
    serve(controls + sessions, lambda: time.monotonic() > warm_up)
    assert all(one.closed_at is None for one in sessions)
    assert all(one.commands > 0 for one in sessions if one.kind == "busy")
    # A function in FROM gives nothing until it has given everything; one in the list of outputs streams.
    assert all(one.received > 0 for one in sessions if one.kind == "streaming")
    before = [one.commands for one in controls]

    revoked = {}

    def revoke():
        revoked["at"] = time.monotonic()
        revoked["answer"] = admin.api("DELETE", f"/api/v1/delegations/{made['id']}", carol)

    caller = threading.Thread(target=revoke)
    caller.start()
    give_up = time.monotonic() + 20
    serve(controls + sessions, lambda: time.monotonic() > give_up or
          all(one.closed_at is not None for one in sessions))
    caller.join()
    assert revoked["answer"][0] == 200, revoked
    left = [one.kind for one in sessions if one.closed_at is None]
    assert not left, left
    took = sorted(one.closed_at - revoked["at"] for one in sessions)
    p50, p99 = took[len(took) // 2], took[int(len(took) * 0.99) - 1]
    ordinary = sorted(one for control in controls for one in control.took)
    usual = ordinary[int(len(ordinary) * 0.99)]
    print(f"\nrevocation to closed socket, {SESSIONS} sessions "
          f"({', '.join(f'{kinds.count(kind)} {kind}' for kind in dict.fromkeys(kinds))}): "
          f"p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms, max {took[-1] * 1000:.0f} ms; "
          f"select 1 at the same time: p99 {usual * 1000:.0f} ms; "
          f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    assert p99 <= max(1.0, 5 * usual)

    # Whoever stands on something else goes on.
    later = time.monotonic() + 1
    serve(controls, lambda: time.monotonic() > later)
    assert all(one.closed_at is None for one in controls)
    assert all(one.commands > was for one, was in zip(controls, before))
    end = time.monotonic() + 10  # a record is written after its socket was closed
    while True:
        ended = [one for one in gateway.records("--kind", "session_end")
                 if '"reason": "revoked"' in json.dumps(one)]
        if len(ended) == SESSIONS or time.monotonic() > end:
            break
    assert len(ended) == SESSIONS
