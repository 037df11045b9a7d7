"""WebSockets: Python's `websockets`, unmodified, on both sides; opening one is an action of its own, and what breaks the
rules on either side, or belongs to a session that ended, ends it."""

import asyncio
import base64
import contextlib
import http
import os
import socket
import struct
import threading
import time

import pytest
import requests
import websockets
import websockets.server
from test_http_approvals import POLICIES as APPROVALS
from test_http_approvals import approvals
from web import CONNECTION, POLICIES, SECRET, WebGateway, running_gateway

WITH_WEBSOCKETS = POLICIES + """\
@id("chat") permit (principal in Group::"support", action == Action::"http:websocket", resource in Connection::"crm")
when { resource.path like "/chat*" || resource.path like "/raw*" };
@id("masked") permit (principal, action == Action::"http:websocket", resource in Connection::"masked");
"""

MASKED = """\
  masked:
    protocol: http
    url: http://127.0.0.1:{port}
    classification: {{"$.email": pii.email}}
"""


class Chat:
    """A server that gives back what it is told. What is said on /raw is done by the test, byte by byte."""

    def __init__(self):
        self.seen = []  # (path, headers)
        self.messages = []
        self.closed = []
        self.raw = None
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()

        async def handle(connection):
            self.seen.append((connection.path, connection.request_headers))
            if connection.path.startswith("/chat/secret"):
                await connection.send("it is " + SECRET)
            try:
                async for message in connection:
                    self.messages.append(message)
                    await connection.send(message)
            except websockets.ConnectionClosed:
                pass
            self.closed.append(connection.close_code)

        async def raw(path, headers):
            if path.startswith("/chat/no"):
                return http.HTTPStatus.NOT_FOUND, {}, b"no such chat"

        async def serve():
            server = await websockets.server.serve(handle, "127.0.0.1", 0, process_request=raw, max_size=None,
                                                   subprotocols=["talk"], compression="deflate")
            self.port = server.sockets[0].getsockname()[1]
            ready.set()

        def run():
            asyncio.set_event_loop(self.loop)
            self.loop.run_until_complete(serve())
            self.loop.run_forever()

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()
        ready.wait()

    def close(self):
        async def stop():
            for task in asyncio.all_tasks():
                if task is not asyncio.current_task():
                    task.cancel()
        asyncio.run_coroutine_threadsafe(stop(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


@pytest.fixture(scope="module")
def chat():
    server = Chat()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def forget_chat(chat):
    for each in (chat.seen, chat.messages, chat.closed):
        each.clear()


@pytest.fixture(scope="module")
def gateway(chat, tmp_path_factory):
    yield from running_gateway(WebGateway(tmp_path_factory.mktemp("websocket"),
                                          CONNECTION.format(port=chat.port) + MASKED.format(port=chat.port),
                                          WITH_WEBSOCKETS))


def connect(gateway, path="/chat", connection="crm", user="alice", more=(), **options):
    return websockets.connect(f"ws://127.0.0.1:{gateway.ports['http']}/c/{connection}{path}", open_timeout=20,
                              extra_headers={**gateway.bearer(user), **dict(more)}, **options)


# ---- what works ----

def test_a_client_and_a_server_talk(gateway, chat):
    async def talk():
        async with connect(gateway, "/chat?room=1", subprotocols=["other", "talk"], max_size=None) as client:
            assert client.subprotocol == "talk"
            assert client.extensions == []  # nothing is compressed: the gateway looks into it
            for message in ("hello", "", "größer", b"\0\xff" * 100, "x" * 200, "y" * 70_000, b"z" * 1_000_000):
                await client.send(message)
                assert await asyncio.wait_for(client.recv(), 10) == message
            await client.send(iter(["in ", "three ", "frames"]))
            assert await asyncio.wait_for(client.recv(), 10) == "in three frames"
            await asyncio.wait_for(await client.ping(b"are you there"), 10)
            await client.close(1000, "bye")
            assert client.close_code == 1000

    asyncio.run(talk())
    path, headers = chat.seen[0]
    assert path == "/chat?room=1" and "Authorization" not in headers and headers["X-Api-Key"] == SECRET
    assert "Sec-WebSocket-Extensions" not in headers and headers["Sec-WebSocket-Protocol"] == "other, talk"
    time.sleep(0.3)
    assert chat.closed == [1000]
    command = [one for one in gateway.records("--kind", "command") if "WebSocket" in one["data"]["command"]["text"]][-1]
    assert command["data"]["command"]["actions"][0]["action"] == "http:websocket"
    outcomes = [one["data"] for one in gateway.records("--kind", "outcome")]
    assert any(one["tag"] == "101" and one["rows"] > 16 for one in outcomes), outcomes[-3:]


def test_opening_one_is_an_action_of_its_own(gateway, chat):
    def status(path, **options):
        async def ask():
            with pytest.raises(websockets.InvalidStatusCode) as refused:
                async with connect(gateway, path, **options):
                    pass
            return refused.value.status_code
        return asyncio.run(ask())

    assert status("/reports") == 403  # may be read, but not opened
    assert requests.get(f"{gateway.url}/c/crm/reports", headers=gateway.bearer(), timeout=10).status_code != 403
    assert status("/admin/chat") == 403
    assert status("/chat", more={"Authorization": "Bearer no"}) == 401
    assert status("/chat/no") == 404  # the target's own answer
    assert status("/chat", connection="masked") == 403  # its messages could not be masked
    assert [path for path, _ in chat.seen] == []


def test_one_waits_for_people(chat, tmp_path):
    policies = APPROVALS.replace('Action::"http:delete"]', 'Action::"http:delete", Action::"http:websocket"]')
    gateway = WebGateway(tmp_path, CONNECTION.format(port=chat.port), policies).start()
    try:
        async def talk():
            async with connect(gateway, more={"Prefer": "wait=20"}) as client:
                await client.send("at last")
                return await client.recv()

        def approve():
            while not (found := approvals(gateway, "list")["approvals"]):
                time.sleep(0.1)
            approvals(gateway, "approve", found[0]["id"])
        approving = threading.Thread(target=approve)
        approving.start()
        assert asyncio.run(talk()) == "at last"
        approving.join()
    finally:
        gateway.stop()
    gateway.verify()


@contextlib.contextmanager
def changed(gateway, file, change):
    """A file of the gateway's, reloaded."""
    path = gateway.folder / file
    before = path.read_text()
    path.write_text(change(before))
    gateway.process.send_signal(1)  # SIGHUP
    try:
        yield
    finally:
        path.write_text(before)
        gateway.process.send_signal(1)
        time.sleep(0.5)


@pytest.mark.parametrize("lost", ["action", 'action == Action::"http:websocket"'])
def test_one_ends_with_its_session_and_when_it_could_not_be_opened_any_more(gateway, chat, lost):
    forbid = f'@id("out") forbid (principal == User::"mallory", {lost}, resource);\n'

    async def talk():
        async with connect(gateway, user="mallory") as hers, connect(gateway, user="olga") as ours:
            for client in (hers, ours):
                await client.send("hello")
                assert await client.recv() == "hello"
            with changed(gateway, "policies/all.cedar", lambda text: text + forbid):
                began = time.monotonic()
                with pytest.raises(websockets.ConnectionClosed):
                    await asyncio.wait_for(hers.recv(), 5)
                assert time.monotonic() - began < 3
                await ours.send("still here")
                assert await asyncio.wait_for(ours.recv(), 5) == "still here"

    asyncio.run(talk())


@pytest.mark.parametrize("masks", ['classification: {"$.email": pii.email}', "detect: report"])
def test_one_ends_when_its_messages_are_to_be_masked(gateway, chat, masks):
    async def talk():
        async with connect(gateway, user="mallory") as client:
            await client.send("hello")
            assert await client.recv() == "hello"
            with changed(gateway, "sallyport.yaml", lambda text: text.replace(
                    "hosts: [crm.gw.test]", "hosts: [crm.gw.test]\n    " + masks)):
                with pytest.raises(websockets.ConnectionClosed):
                    await asyncio.wait_for(client.recv(), 5)

    asyncio.run(talk())


def test_one_ends_with_the_token_that_opened_it(gateway, chat):
    ends = int(time.time()) + 4

    async def talk():
        where = f"ws://127.0.0.1:{gateway.ports['http']}/c/crm/chat"
        async with websockets.connect(where, extra_headers=gateway.bearer("mallory", exp=ends)) as client:
            await client.send("hello")
            assert await client.recv() == "hello"
            with pytest.raises(websockets.ConnectionClosed):
                while True:
                    await asyncio.sleep(0.5)
                    await client.send("still here")
                    await asyncio.wait_for(client.recv(), 5)
                    assert time.time() < ends + 3

    asyncio.run(talk())


def test_a_message_with_the_gateways_credential_is_withheld(gateway, chat):
    async def listen():
        async with connect(gateway, "/chat/secret") as client:
            with pytest.raises(websockets.ConnectionClosed) as closed:
                raise AssertionError(await asyncio.wait_for(client.recv(), 10))
            return closed.value.code

    assert asyncio.run(listen()) == 1011
    assert SECRET not in gateway.output()


# ---- what breaks the rules ----

def frame(opcode, content=b"", last=True, masked=True, reserved=0, length=None, mask=b"abcd"):
    size = len(content) if length is None else length
    head = bytes([(0x80 if last else 0) | reserved << 4 | opcode])
    bit = 0x80 if masked else 0
    if size < 126:
        head += bytes([bit | size])
    elif size < 65536:
        head += bytes([bit | 126]) + struct.pack(">H", size)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", size)
    if not masked:
        return head + content
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(content))


BROKEN = {
    "no mask": (frame(1, b"hello", masked=False), 1002),
    "a reserved bit": (frame(1, b"hello", reserved=4), 1002),
    "an unknown opcode": (frame(3, b"hello"), 1002),
    "an unknown control opcode": (frame(11), 1002),
    "a continuation of nothing": (frame(0, b"hello"), 1002),
    "a message in another": (frame(1, b"hel", last=False) + frame(1, b"lo"), 1002),
    "a ping in pieces": (frame(9, b"x", last=False), 1002),
    "a ping of 126 bytes": (frame(9, b"x" * 126), 1002),
    "a length in too many bytes": (bytes([0x81, 0xfe, 0, 5]) + b"abcdhello", 1002),
    "a length of 64 bits for 16": (bytes([0x82, 0xff]) + struct.pack(">Q", 200) + b"abcd", 1002),
    "a negative length": (bytes([0x82, 0xff]) + struct.pack(">Q", 2**63) + b"abcd", 1002),
    "a message that is too large": (frame(2, b"", length=2_000_000), 1009),
    "frames that are too large together": (frame(2, b"x" * 600_000, last=False) + frame(0, b"x" * 600_000), 1009),
    "text that is not UTF-8": (frame(1, b"\xff\xfe"), 1007),
    "text whose UTF-8 is cut off": (frame(1, "ö".encode()[:1]), 1007),
    "half a close code": (frame(8, b"\x03"), 1002),
    "a close code that is none": (frame(8, struct.pack(">H", 1005)), 1002),
    "a close code of nobody": (frame(8, struct.pack(">H", 2000)), 1002),
    "a close reason that is not UTF-8": (frame(8, struct.pack(">H", 1000) + b"\xff"), 1007),
}


def handshake(gateway, path="/chat", **fields):
    usual = {"Host": "127.0.0.1", "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
             "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(), **gateway.bearer()}
    usual.update({name.replace("_", "-"): value for name, value in fields.items()})
    lines = [f"{name}: {value}" for name, value in usual.items() if value is not None]
    return (f"GET /c/crm{path} HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode()


@pytest.mark.parametrize("what", BROKEN)
def test_a_client_that_breaks_the_rules(gateway, chat, what):
    data, code = BROKEN[what]
    with socket.create_connection(("127.0.0.1", gateway.ports["http"]), timeout=10) as client:
        client.sendall(handshake(gateway) + frame(1, b"good"))
        answer = b""
        while not answer.endswith(b"\x81\x04good"):
            more = client.recv(65536)
            assert more, answer
            answer += more
        assert answer.startswith(b"HTTP/1.1 101 ")
        client.sendall(data)
        rest = b""
        while len(rest) < 4 and (more := client.recv(65536)):
            rest += more
        assert rest[:1] == b"\x88" and rest[2:4] == struct.pack(">H", code), rest
    assert chat.messages == ["good"]


@pytest.mark.parametrize("fields", [
    {"Sec_WebSocket_Version": "8"}, {"Sec_WebSocket_Version": None}, {"Sec_WebSocket_Key": None},
    {"Sec_WebSocket_Key": "short"}, {"Sec_WebSocket_Key": "!" * 24}, {"Content_Length": "5"},
    {"Transfer_Encoding": "chunked"}])
def test_a_handshake_that_is_none(gateway, chat, fields):
    answer = gateway.raw(handshake(gateway, **fields) + b"hello", keep=True, seconds=1)
    assert answer[9:12] in (b"400", b"426"), answer
    assert chat.seen == []


@pytest.mark.parametrize("fields", [{"Connection": None}, {"Connection": "keep-alive"}, {"Upgrade": "h2c"},
                                    {"Upgrade": None}])
def test_what_asks_for_no_websocket_is_a_get_as_any_other(gateway, chat, fields):
    answer = gateway.raw(handshake(gateway, "/plain", **fields))
    assert answer.startswith(b"HTTP/1.1 ") and not answer.startswith(b"HTTP/1.1 101"), answer
    assert chat.seen == []


class RawTarget:
    """Answers handshakes with what the test says, then sends what the test says."""

    def __init__(self):
        self.accept, self.more, self.frames = None, b"", b""
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), connection:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += connection.recv(65536)
                key = [line.split(b": ")[1] for line in head.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Key")][0]
                good = websockets.utils.accept_key(key.decode()).encode()
                connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                   b"Sec-WebSocket-Accept: " + (self.accept or good) + b"\r\n" + self.more + b"\r\n" +
                                   self.frames)
                while connection.recv(65536):
                    pass

    def close(self):
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        self.thread.join(10)


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """Such a target, and a gateway in front of it."""
    target = RawTarget()
    for gateway in running_gateway(WebGateway(tmp_path_factory.mktemp("raw"), CONNECTION.format(port=target.port),
                                              WITH_WEBSOCKETS)):
        yield target, gateway
    target.close()


@pytest.mark.parametrize("what,expected", [
    ({"accept": b"bm90IHRoaXMgb25lIGF0IGFsbA=="}, b"HTTP/1.1 502 "),
    ({"more": b"Sec-WebSocket-Extensions: permessage-deflate\r\n"}, b"HTTP/1.1 502 "),
    ({"more": b"Sec-WebSocket-Protocol: other\r\n"}, b"HTTP/1.1 502 "),
    ({"more": b"Content-Length: 5\r\n"}, b"HTTP/1.1 502 "),
    ({"frames": frame(1, b"masked")}, b"\x88"),
    ({"frames": frame(1, b"\xff", masked=False)}, b"\x88"),
    ({"frames": frame(1, b"x", masked=False, reserved=4)}, b"\x88"),
])
def test_a_target_that_breaks_the_rules(raw, what, expected):
    target, gateway = raw
    target.accept, target.more, target.frames = (what.get(key, usual) for key, usual in
                                                 (("accept", None), ("more", b""), ("frames", b"")))
    answer = gateway.raw(handshake(gateway), keep=True, seconds=1)
    if expected != b"\x88":
        assert answer.startswith(expected), answer
        return
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ") and rest[:1] == b"\x88" and rest[2:4] == struct.pack(">H", 1011), rest
