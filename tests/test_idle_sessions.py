"""Thousands of idle sessions on one process: they log in, they run a statement, they wait, and what
each of them costs is told. SALLYPORT_IDLE_SESSIONS says how many (scripts/test --all: 10,000)."""

import asyncio
import base64
import hashlib
import hmac
import os
import pathlib
import re
import resource
import secrets
import struct
import threading
import time

import pytest
from conftest import BINARY
from raw_client import message, query, text
from serving import Gateway

SESSIONS = int(os.environ.get("SALLYPORT_IDLE_SESSIONS", "1000"))
LOGINS_AT_ONCE = 16
# Of a build that ships: a sanitizer's allocations are many times as large. The goal is 4 KiB; with
# glibc's malloc it is about 10 today.
SESSION_BYTES_MAX = 12 * 1024


class Target(asyncio.Protocol):
    """Logs everybody in and answers every text with one row: a PostgreSQL for each session would be
    ten thousand processes."""

    COLUMN = text("n") + struct.pack("!IHIhIh", 0, 0, 23, 4, 0xffffffff, 0)
    ROW = (message("T", struct.pack("!H", 1) + COLUMN)
           + message("D", struct.pack("!Hi", 1, 1) + b"1") + message("C", text("SELECT 1")))

    def answer(self, sql):
        if sql.lower().startswith("select"):
            return self.ROW
        return message("C", text(sql if sql == "DISCARD ALL" else sql.split()[0].upper()))

    transports = set()

    def connection_made(self, transport):
        self.transport, self.buffer, self.started = transport, b"", False
        self.transports.add(transport)

    def connection_lost(self, _):
        self.transports.discard(self.transport)

    def data_received(self, data):
        self.buffer += data
        while self.step():
            pass

    def step(self):
        header = 5 if self.started else 4
        if len(self.buffer) < header:
            return False
        size = struct.unpack("!I", self.buffer[header - 4:header])[0] + header - 4
        if len(self.buffer) < size:
            return False
        packet, self.buffer = self.buffer[:size], self.buffer[size:]
        if not self.started:
            self.started = True
            settings = {"server_version": "15.8", "server_encoding": "UTF8", "DateStyle": "ISO, MDY",
                        "client_encoding": "UTF8", "integer_datetimes": "on", "TimeZone": "UTC",
                        "standard_conforming_strings": "on", "is_superuser": "off"}
            self.transport.write(
                message("R", b"\0\0\0\0")
                + b"".join(message("S", text(name) + text(value)) for name, value in settings.items())
                + message("K", struct.pack("!II", 1, 1)) + message("Z", b"I"))
        elif packet[:1] == b"Q":
            texts = [one.strip() for one in packet[5:-1].decode().split(";") if one.strip()]
            self.transport.write(b"".join(self.answer(one) for one in texts) + message("Z", b"I"))
        return True


class Client:
    """One session: SCRAM-SHA-256 with a ticket, then whatever it is asked to say."""

    salted = {}  # the slow part, the same for all sessions of a ticket

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def log_in(cls, gateway):
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.ports["postgres"])
        client = cls(reader, writer)
        parameters = text("user") + text(gateway.user) + text("database") + text("target") + b"\0"
        writer.write(struct.pack("!II", len(parameters) + 8, 3 << 16) + parameters)
        kind, body = await client.read()
        assert kind == "R" and body[:4] == b"\0\0\0\x0a", body
        nonce = secrets.token_hex(12)
        first = f"n=,r={nonce}"
        writer.write(message("p", text("SCRAM-SHA-256") + struct.pack("!I", len(first) + 3)
                             + b"n,," + first.encode()))
        kind, body = await client.read()
        challenge = body[4:].decode()
        both, salt, rounds = re.fullmatch(r"r=([^,]+),s=([^,]+),i=(\d+)", challenge).groups()
        if salt not in cls.salted:
            cls.salted[salt] = hashlib.pbkdf2_hmac("sha256", gateway.ticket().encode(),
                                                   base64.b64decode(salt), int(rounds))
        key = hmac.digest(cls.salted[salt], b"Client Key", "sha256")
        last = f"c=biws,r={both}"
        signature = hmac.digest(hashlib.sha256(key).digest(),
                                f"{first},{challenge},{last}".encode(), "sha256")
        proof = bytes(a ^ b for a, b in zip(key, signature))
        writer.write(message("p", f"{last},p={base64.b64encode(proof).decode()}".encode()))
        await client.until_ready()
        return client

    async def read(self):
        header = await self.reader.readexactly(5)
        return chr(header[0]), await self.reader.readexactly(struct.unpack("!I", header[1:])[0] - 4)

    async def until_ready(self):
        while True:
            kind, body = await self.read()
            assert kind != "E", body
            if kind == "Z":
                return

    async def ask(self, sql):
        self.writer.write(query(sql))
        await self.until_ready()


async def log_in_many(gateway, clients, count):
    async def some(number):
        for _ in range(number):
            client = await Client.log_in(gateway)
            await client.ask("select 1")
            clients.append(client)

    shares = [count // LOGINS_AT_ONCE + (i < count % LOGINS_AT_ONCE) for i in range(LOGINS_AT_ONCE)]
    await asyncio.gather(*(some(share) for share in shares))


def own_memory(pid):
    """Bytes that are the process's own: no files, no kernel."""
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Anonymous:\s+(\d+) kB", rollup, re.M)[1]) * 1024


def sanitized():
    return b"__asan_init" in pathlib.Path(BINARY).read_bytes()


SPARE_DESCRIPTORS = 500


@pytest.fixture
def sessions():
    """How many: two descriptors for each in this process, and two in the gateway."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * SESSIONS + SPARE_DESCRIPTORS
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, before[1])))
    except ValueError:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
        wanted = before[1]
        print(f"\nthis account may open {wanted} files only")
    yield (wanted - SPARE_DESCRIPTORS) // 2
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture
def target():
    """On a loop and a thread of its own."""
    class Running:
        port = None

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(loop.create_server(Target, "127.0.0.1", 0, backlog=1024))
    Running.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield Running
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    server.close()
    for transport in Target.transports:
        transport.abort()
    while Target.transports:
        loop.run_until_complete(asyncio.sleep(0))
    loop.close()


@pytest.fixture
def gateway(target, tmp_path, sessions):
    running = Gateway(tmp_path / "gateway", target, "workers: 1\nlimits: {sessions_max: 20000}\n")
    running.config.write_text(running.config.read_text().replace(
        "log: {level: info", "log: {level: warn"))
    yield running.start()
    running.stop()


async def many_sessions(gateway, sessions, record_property):
    gateway.ticket()
    clients = []
    await log_in_many(gateway, clients, sessions // 2)
    await asyncio.sleep(1)
    half = own_memory(gateway.process.pid)
    await log_in_many(gateway, clients, sessions - sessions // 2)
    await asyncio.sleep(1)
    each = (own_memory(gateway.process.pid) - half) / (sessions - sessions // 2)
    print(f"\n{sessions} idle sessions: {each:.0f} bytes of memory each, "
          f"{own_memory(gateway.process.pid) >> 20} MiB in all")
    record_property("bytes_per_idle_session", round(each))
    assert gateway.metric('sallyport_sessions_open{protocol="postgres"}') == sessions

    # They are all still there, and nobody is slow for their sake.
    for client in clients[::max(1, sessions // 100)]:
        start = time.monotonic()
        await client.ask("select 1")
        assert time.monotonic() - start < 1
    start = time.monotonic()
    await (await Client.log_in(gateway)).ask("select 1")
    assert time.monotonic() - start < 2
    if not sanitized():
        assert each <= SESSION_BYTES_MAX

    for client in clients:
        client.writer.close()
    end = time.monotonic() + 60
    while gateway.metric('sallyport_sessions_open{protocol="postgres"}') > 1:
        assert time.monotonic() < end, "sessions whose clients have gone stay open"
        await asyncio.sleep(0.2)


def test_thousands_of_idle_sessions_on_one_process(gateway, sessions, record_property):
    asyncio.run(many_sessions(gateway, sessions, record_property))
