"""A target that misbehaves: whatever it sends, the client gets a clear error or a closed session,
nothing is buffered without bound, every command in the ledger has its end, and a session with a
target that behaves notices nothing."""

import collections
import json
import os
import pathlib
import threading
import time

import pytest
from evil_server import (COPY, EXTENDED, GREETING, LOGIN, PASSWORD, QUERY, EvilServer, auth,
                         description, notice, row)
from raw_client import SYNC, RawClient, bind, execute, message, parse, query

EXTRA = ["endless_rows", "notices_for_ever", "silence_in_a_row"]


def resident_kb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


def tls_refused(peer):
    peer.startup()
    peer.send(b"N")
    peer.until("X")


def bytes_behind_tls(peer):
    peer.startup()
    peer.send(b"S" + auth(0) + GREETING)
    peer.until("X")


def error_for_tls(peer):
    peer.startup()
    peer.send(b"E\0\0\0\x20SFATAL\0Mno TLS for you\0\0")


def silence_for_tls(peer):
    peer.startup()
    peer.connection.recv(1)


def garbage_as_tls(peer):
    peer.startup()
    peer.send(b"S")
    peer.connection.recv(1)
    peer.send(b"\x15\x03\x01\xff\xff" + b"x" * 70000)
    peer.connection.recv(1)


BEFORE_TLS = [tls_refused, bytes_behind_tls, error_for_tls, silence_for_tls, garbage_as_tls]


@pytest.fixture(scope="module")
def evil():
    server = EvilServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def gateway(evil, tmp_path_factory):
    from conftest import Demo
    folder = tmp_path_factory.mktemp("evil")
    (folder / "policies").mkdir()
    (folder / "policies/all.cedar").write_text('@id("all") permit (principal, action, resource);')
    servers = {one.__name__: EvilServer(one) for one in BEFORE_TLS}
    databases = ["good", *LOGIN, *QUERY, *EXTENDED, *COPY, *EXTRA]

    def connection(port, databases, tls, auth=""):
        return (f"{{host: 127.0.0.1, port: {port}, databases: [{', '.join(databases)}], "
                f"connect_timeout_s: 2, tls: {{mode: {tls}}}, pool: {{reuse: false}}, "
                f"credential: {{user: evil, password: {PASSWORD}{auth}}}}}")

    scram_only = ", require_auth: [scram-sha-256]"
    no_scram = ", require_auth: [password, md5]"
    downgrades = ["cleartext_asked_for", "md5_asked_for"]
    over = ["connections:", f"  evil: {connection(evil.port, databases, 'disable')}",
            f"  strict: {connection(evil.port, ['good'], 'disable', scram_only)}",
            f"  weak: {connection(evil.port, downgrades, 'disable', no_scram)}"]
    over += [f"  {name}: {connection(server.port, ['x'], 'require')}"
             for name, server in servers.items()]
    (folder / "over.yaml").write_text("\n".join(over) + "\n")
    # What the sanitizer keeps of freed memory would hide what the gateway keeps.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASAN_OPTIONS", os.environ.get("ASAN_OPTIONS", "") +
                     ":quarantine_size_mb=8:thread_local_quarantine_size_kb=64")
        demo = Demo(folder, "--config", str(folder / "over.yaml"), "--policies",
                    str(folder / "policies"))
    yield demo
    demo.stop()
    for server in servers.values():
        server.close()


@pytest.fixture(scope="module")
def neighbour(gateway):
    """A session with a real server, which must never notice anything."""
    with RawClient(gateway, "bob") as client:
        yield client


@pytest.fixture(autouse=True)
def nobody_else_notices(gateway, neighbour):
    yield
    started = time.monotonic()
    assert neighbour.ask("select 7") == ["T", "D:7", "C:SELECT 1", "Z:I"]
    assert time.monotonic() - started < 5
    assert gateway.process.poll() is None


def connect(gateway, connection, case):
    client = RawClient(gateway, "alice", log_in=False, database=f"{connection}/{case}")
    assert client.read()[0] == "R"
    client.send(message("p", client_token(gateway)))
    return client


def client_token(gateway):
    return gateway.ready["users"]["alice"]["token"].encode() + b"\0"


def refused_login(gateway, connection, case, seconds=8):
    """The SQLSTATE of the refusal, which must come in time."""
    started = time.monotonic()
    with connect(gateway, connection, case) as client:
        seen = client.until("E")
        with pytest.raises((EOFError, ConnectionError)):
            client.read()
    assert time.monotonic() - started < seconds
    return seen[-1]


@pytest.mark.parametrize("case", sorted(LOGIN))
def test_in_the_login(gateway, case):
    assert refused_login(gateway, "evil", case) == "E:08001"


@pytest.mark.parametrize("case", [one.__name__ for one in BEFORE_TLS])
def test_before_tls(gateway, case):
    assert refused_login(gateway, case, "x") == "E:08001"


def test_a_target_that_asks_for_nothing_is_refused_where_scram_is_required(gateway):
    assert refused_login(gateway, "strict", "good") == "E:08001"
    assert "credential.require_auth" in gateway.output()


def test_the_password_is_not_sent_in_the_clear_even_where_that_is_allowed(gateway):
    assert refused_login(gateway, "weak", "cleartext_asked_for") == "E:08001"
    assert "without TLS" in gateway.output()


def in_session(gateway, case, *messages):
    """What a client sees that sends these after a good login, to its forced end."""
    with connect(gateway, "evil", case) as client:
        while client.read()[0] != "Z":
            pass
        client.send(*messages)
        return seen_to_the_end(client)


def seen_to_the_end(client):
    seen = []
    while True:
        try:
            kind, body = client.read()
        except (EOFError, ConnectionError):
            return seen
        seen.append(kind)
        if kind == "E" and b"SFATAL\0" in body:
            seen.append("08006" if b"C08006\0" in body else "other")


@pytest.mark.parametrize("case", sorted(QUERY))
def test_in_a_query(gateway, case):
    seen = in_session(gateway, case, query("select 1"))
    # A message that was begun and cannot be ended leaves no room for words.
    assert seen[-1] == "08006" or "long_row" in case or "2_GB" in case, seen
    assert len(seen) < 10


@pytest.mark.parametrize("case", sorted(EXTENDED))
def test_in_the_extended_protocol(gateway, case):
    seen = in_session(gateway, case, parse("", "select 1"), message("D", b"S\0"), bind("", ""),
                      execute(), SYNC)
    assert seen[-1] == "08006", seen
    assert len(seen) < 10


@pytest.mark.parametrize("case", sorted(COPY))
def test_in_a_copy(gateway, case):
    seen = in_session(gateway, case, query("copy t to stdout"))
    assert seen[-1] == "08006" or "2_GB" in case, seen
    assert "G" not in seen and len(seen) < 10


@pytest.mark.parametrize("what", ["endless_rows", "notices_for_ever"])
def test_what_never_ends_is_not_buffered(gateway, evil, what):
    endless = row(b"x" * 1000) * 64 if what == "endless_rows" else notice("evil" * 100) * 64
    sent = 0

    def behave(peer):
        nonlocal sent
        peer.until("Q")
        peer.send(description("a"))
        while True:
            peer.connection.sendall(endless)
            sent += len(endless)

    evil.extra[what] = behave
    before = resident_kb(gateway.process.pid)
    with connect(gateway, "evil", what) as client:
        while client.read()[0] != "Z":
            pass
        client.send(query("select 1"))
        # A client that does not read: the target is stopped.
        time.sleep(2)
        at_rest = sent
        time.sleep(1)
        assert sent == at_rest < 32 << 20
        # One that reads: it gets all of it, and nothing is kept.
        got = 0
        while got < 100 << 20:
            got += len(client.socket.recv(1 << 16))
    assert resident_kb(gateway.process.pid) - before < 32 << 10


def test_silence_in_the_middle_of_a_row_ends_with_the_client(gateway, evil):
    gone = threading.Event()

    def behave(peer):
        peer.until("Q")
        peer.send(description("a"), row(b"x" * 300_000)[:-2])
        try:
            peer.until("X")
        finally:
            gone.set()

    evil.extra["silence_in_a_row"] = behave
    with connect(gateway, "evil", "silence_in_a_row") as client:
        while client.read()[0] != "Z":
            pass
        client.send(query("select 1"))
        time.sleep(0.3)
    assert gone.wait(10)


def test_every_command_has_its_end_in_the_ledger(gateway):
    """Of all the sessions above. A command whose target broke off says so."""
    deadline = time.monotonic() + 20
    while True:
        exported = gateway.sallyport("ledger", "export", "--data", str(gateway.data))
        records = [json.loads(line) for line in exported.stdout.splitlines()]
        open_commands = collections.Counter()
        for record in records:
            if record["kind"] == "command":
                open_commands[record["session"]] += 1
            elif record["kind"] == "outcome":
                open_commands[record["session"]] -= 1
        ended = {r["session"] for r in records if r["kind"] == "session_end"}
        unsettled = {s: n for s, n in open_commands.items() if n and s in ended}
        started = {r["session"] for r in records if r["kind"] == "session_start"}
        # The neighbour's session is the only one that is still open.
        if (not unsettled and len(started - ended) <= 1) or time.monotonic() > deadline:
            break
        time.sleep(0.5)
    assert unsettled == {}
    assert len(ended) > len(QUERY)
    assert len(started - ended) <= 1
    verified = gateway.sallyport("ledger", "verify", "--data", str(gateway.data))
    assert verified.returncode == 0, verified.stdout
