"""HTTP/2 towards clients: curl, httpx and Node, unmodified; each stream is a request that is decided by itself, and no
client makes the gateway do or keep more than it should."""

import asyncio
import contextlib
import json
import struct
import subprocess
import threading
import time

import httpx
import pytest
import requests
from http2_wire import (CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, HEADERS, PING, PRIORITY,
                        PROTOCOL_ERROR, RST_STREAM, SETTINGS, WINDOW_UPDATE, Wire, frame)
from test_http_approvals import POLICIES as APPROVALS
from test_http_approvals import approvals
from web import CONNECTION, WebGateway, forget, running_gateway, target  # noqa: F401


@pytest.fixture(scope="module")
def gateway(target, tmp_path_factory):
    yield from running_gateway(WebGateway(tmp_path_factory.mktemp("http2"), CONNECTION.format(port=target.port),
                                          tls=True))


def fields(gateway, path="/customers", method="GET", more=(), **claims):
    return [(":method", method), (":scheme", "https"), (":authority", f"127.0.0.1:{gateway.ports['http']}"),
            (":path", f"/c/crm{path}"), ("authorization", gateway.bearer(**claims)["Authorization"]), *more]


def wire(gateway, **options):
    return Wire(gateway.ports["http"], **options)


def opened_sessions(gateway):
    return [one for one in gateway.records("--kind", "session_start")]


# ---- clients ----

def test_curl(gateway, target, tmp_path):
    header = "Authorization: " + gateway.bearer()["Authorization"]

    def curl(*arguments):
        done = subprocess.run(["curl", "-sSk", "--http2", "--max-time", "20", "-w", "\n%{http_version} %{http_code}",
                               "-H", header, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.rsplit("\n", 1)

    body, how = curl(f"{gateway.url}/c/crm/customers/42?page=2")
    assert how == "2 200" and json.loads(body)["line"] == "GET /customers/42?page=2 HTTP/1.1"
    assert json.loads(body)["headers"]["Host"] == f"127.0.0.1:{target.port}"
    assert json.loads(body)["headers"]["X-Forwarded-Proto"] == "https"
    body, how = curl("-H", "Host: crm.gw.test", f"{gateway.url}/customers/42")
    assert how == "2 200" and json.loads(body)["line"] == "GET /customers/42 HTTP/1.1"
    (tmp_path / "large").write_bytes(b"x" * 3_000_000)
    body, how = curl("--data-binary", f"@{tmp_path}/large", f"{gateway.url}/c/crm/notes")
    assert how == "2 200" and json.loads(body)["bytes"] == 3_000_000
    assert curl("-I", f"{gateway.url}/c/crm/customers")[1] == "2 200"
    assert curl("-X", "DELETE", f"{gateway.url}/c/crm/customers/1")[1] == "2 403"
    assert curl(f"{gateway.url}/nothing")[1] == "2 404"
    assert curl(f"{gateway.url}/.well-known/jwks.json")[1] == "2 200"
    assert curl("-H", "Host: evil.example", f"{gateway.url}/c/crm/")[1] == "2 421"
    assert curl("-H", "Authorization: Bearer no", f"{gateway.url}/c/crm/")[1].startswith("2 4")
    # Without ALPN, and with HTTP/1.1 in it, as ever.
    done = subprocess.run(["curl", "-sSk", "--http1.1", "-w", "%{http_version}", "-o", "/dev/null", "-H", header,
                           f"{gateway.url}/c/crm/customers"], capture_output=True, text=True, check=False)
    assert done.stdout == "1.1", done.stderr


def test_httpx_asks_many_things_at_once_in_one_session(gateway, target):
    before = len(opened_sessions(gateway))

    async def ask():
        async with httpx.AsyncClient(http2=True, verify=False, headers=gateway.bearer("olga"), timeout=30) as client:
            return await asyncio.gather(*(client.get(f"{gateway.url}/c/crm/customers/{i}") for i in range(60)),
                                        *(client.post(f"{gateway.url}/c/crm/notes", content=b"x" * 60_000)
                                          for _ in range(5)))

    # Above a window, uploads at the same time may wait for ever for what httpcore 0.16 has read already.
    answers = asyncio.run(ask())
    assert {answer.http_version for answer in answers} == {"HTTP/2"}
    assert [answer.json()["line"] for answer in answers[:60]] == [f"GET /customers/{i} HTTP/1.1" for i in range(60)]
    assert [answer.json()["bytes"] for answer in answers[60:]] == [60_000] * 5
    assert len(target.requests) == 65
    time.sleep(0.3)
    assert len(opened_sessions(gateway)) == before + 1


NODE = """\
const http2 = require('http2');
const [url, token] = process.argv.slice(2);
const session = http2.connect(url, {rejectUnauthorized: false});
let left = 20;
for (let i = 0; i < 20; i++) {
  const stream = session.request({':method': i % 2 ? 'POST' : 'GET', ':path': '/c/crm/node/' + i,
                                  authorization: token});
  let status, text = '';
  stream.on('response', (headers) => { status = headers[':status']; });
  stream.on('data', (data) => { text += data; });
  stream.on('end', () => {
    console.log(status + ' ' + JSON.parse(text).line);
    if (--left === 0) session.close();
  });
  stream.end(i % 2 ? 'x'.repeat(300000) : undefined);
}
"""


def test_node(gateway, target, tmp_path):
    (tmp_path / "client.js").write_text(NODE)
    done = subprocess.run(["node", tmp_path / "client.js", gateway.url, gateway.bearer()["Authorization"]],
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == sorted(
        f"200 {'POST' if i % 2 else 'GET'} /node/{i} HTTP/1.1" for i in range(20))
    assert sorted(len(body) for _, _, body in target.requests) == [0] * 10 + [300_000] * 10


# ---- each stream by itself ----

def test_streams_are_decided_one_by_one(gateway, target):
    with wire(gateway) as client:
        may = client.request(fields(gateway, "/a"))
        may_not = client.request(fields(gateway, "/admin"))
        nobody = client.request([one for one in fields(gateway, "/b") if one[0] != "authorization"])
        other = client.request(fields(gateway, "/c", user="olaf", actors=["copilot"]))
        assert [client.finish(one)[0] for one in (may, may_not, nobody, other)] == [200, 403, 401, 200]
    assert sorted(target.lines()) == ["GET /a HTTP/1.1", "GET /c HTTP/1.1"]


def test_one_cookie_of_its_crumbs(gateway, target):
    with wire(gateway) as client:
        stream = client.request(fields(gateway, more=[("cookie", "a=1"), ("cookie", "b=2")]))
        assert json.loads(client.finish(stream)[1])["headers"]["cookie"] == "a=1; b=2"


def test_a_body_of_unknown_length_and_continue(gateway, target):
    with wire(gateway) as client:
        stream = client.request(fields(gateway, "/notes", "POST", [("expect", "100-continue")]), end=False)
        while 100 not in client.statuses.get(stream, []):
            assert client.pump()
        client.send(frame(DATA, 0, stream, b"hello ") + frame(DATA, 0, stream, b"") +
                    frame(DATA, END_STREAM, stream, b"world"))
        assert client.finish(stream)[0] == 200
    assert target.requests[0][2] == b"hello world"


def test_trailers_are_refused_and_those_of_a_target_dropped(gateway, target):
    def with_trailers(handler, _):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.send_header("Trailer", "X-Sum")
        handler.end_headers()
        handler.wfile.write(b"2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n")

    target.special["/trailers"] = with_trailers
    with wire(gateway) as client:
        for body in (b"hello", None):
            head = fields(gateway, "/notes", "POST")
            stream = client.request(head, body, end=False, trailers=[("x-sum", "1")])
            assert client.finish(stream)[0] in (None, 400)
        stream = client.request(fields(gateway, "/trailers"))
        assert client.finish(stream) == (200, b"ok")
        assert "trailer" not in dict(client.fields[stream]) and "x-sum" not in dict(client.fields[stream])


def test_a_body_whose_end_comes_with_its_head_ends_at_the_target(gateway, target):
    """Chunks that never end would take in the next request on a connection that is kept."""
    with wire(gateway) as client:
        for _ in range(3):
            stream = client.next_id
            client.next_id += 2
            head = client.pack(fields(gateway, "/notes", "POST"))
            client.send(frame(HEADERS, END_HEADERS, stream, head) + frame(DATA, END_STREAM, stream))
            status, body = client.finish(stream)
            assert status == 200 and json.loads(body)["bytes"] == 0, body
            stream = client.request(fields(gateway, "/customers/7"))
            assert client.finish(stream)[0] == 200


def test_an_answer_waits_for_the_clients_window_and_others_do_not(gateway, target):
    size, taken = 60_000_000, []  # more than the kernel's buffers

    def large(handler, _):
        handler.send_response(200)
        handler.send_header("Content-Length", str(size))
        handler.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(50):
                handler.wfile.write(b"x" * (size // 50))
                taken.append(size // 50)

    target.special["/large"] = large
    # Streams of the client take nothing until it says so.
    with wire(gateway, settings=struct.pack(">HI", 4, 0)) as client:
        slow = client.request(fields(gateway, "/large"))
        while slow not in client.statuses:
            assert client.pump()
        other = client.request(fields(gateway, "/quick"))
        while other not in client.statuses:
            assert client.pump()
        client.send(frame(WINDOW_UPDATE, 0, other, struct.pack(">I", 100_000)))
        assert client.finish(other)[0] == 200
        time.sleep(0.5)
        assert sum(taken) < size  # the target waits, too
        client.send(frame(WINDOW_UPDATE, 0, slow, struct.pack(">I", 2 * size)))
        status, body = client.finish(slow)
        assert status == 200 and len(body) == size


def test_a_stream_that_the_client_resets_ends_at_the_target(gateway, target):
    ended = threading.Event()

    def endless(handler, _):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"1\r\nx\r\n")
                time.sleep(0.01)
        except OSError:
            ended.set()

    target.special["/endless"] = endless
    with wire(gateway) as client:
        stream = client.request(fields(gateway, "/endless"))
        while stream not in client.bodies:
            assert client.pump()
        client.send(frame(RST_STREAM, 0, stream, struct.pack(">I", 8)))
        assert ended.wait(5)
        assert client.finish(client.request(fields(gateway, "/after")))[0] == 200


def test_revocation_ends_the_streams_of_its_session_and_no_other(gateway, target):
    def endless(handler, _):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        with contextlib.suppress(OSError):
            while True:
                handler.wfile.write(b"1\r\nx\r\n")
                time.sleep(0.01)

    target.special["/endless"] = endless
    policies = gateway.folder / "policies/all.cedar"
    before = policies.read_text()
    try:
        with wire(gateway) as client:
            hers = client.request(fields(gateway, "/endless", user="mallory"))
            ours = client.request(fields(gateway, "/endless", user="alice"))
            while hers not in client.bodies or ours not in client.bodies:
                assert client.pump()
            policies.write_text(before + '@id("out") forbid (principal == User::"mallory", action, resource);\n')
            gateway.process.send_signal(1)  # SIGHUP
            began = time.monotonic()
            while hers not in client.resets and client.pump():
                pass
            assert hers in client.resets and time.monotonic() - began < 3
            size = len(client.bodies[ours])
            while len(client.bodies[ours]) < size + 5:
                assert client.pump()
    finally:
        policies.write_text(before)
        gateway.process.send_signal(1)
        time.sleep(0.5)


def test_a_target_that_breaks_off_resets_the_stream(gateway, target):
    def short(handler, _):
        handler.send_response(200)
        handler.send_header("Content-Length", "10")
        handler.end_headers()
        handler.wfile.write(b"12345")
        handler.close_connection = True

    target.special["/short"] = short
    with wire(gateway) as client:
        stream = client.request(fields(gateway, "/short"))
        client.finish(stream)
        assert stream in client.resets and stream not in client.ended
        assert client.finish(client.request(fields(gateway, "/after")))[0] == 200


def test_a_stream_waits_for_people_and_the_others_do_not(target, tmp_path):
    gateway = WebGateway(tmp_path, CONNECTION.format(port=target.port), APPROVALS, tls=True).start()
    try:
        with wire(gateway) as client:
            held = client.request(fields(gateway, "/refunds", "POST", [("prefer", "wait=30")]), b'{"amount": 1}')
            given_up = client.request(fields(gateway, "/refunds", "POST", [("prefer", "wait=30")]), b'{"amount": 2}')
            meanwhile = client.request(fields(gateway, "/nothing", "DELETE"))
            assert client.finish(meanwhile)[0] == 403
            asked = {}
            while len(asked) < 2:
                asked = {one["parameters"][0]["value"]: one["id"] for one in
                         (approvals(gateway, "show", each["id"]) for each in approvals(gateway, "list")["approvals"])
                         if one["text"] == "POST /refunds"}
            client.send(frame(RST_STREAM, 0, given_up, struct.pack(">I", 8)))
            assert client.finish(client.request(fields(gateway, "/nothing", "DELETE")))[0] == 403
            for one in asked.values():
                approvals(gateway, "approve", one)
            assert client.finish(held)[0] == 200
            time.sleep(0.5)
            assert [body for _, _, body in target.requests] == [b'{"amount": 1}']
    finally:
        gateway.stop()
    gateway.verify()


# ---- limits ----

def metric(gateway, name):
    text = requests.get(f"http://127.0.0.1:{gateway.ports['admin']}/metrics", timeout=10).text
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))


def test_more_streams_than_allowed_are_refused(gateway, target):
    release = threading.Event()

    def waits(handler, _):
        release.wait(20)
        handler.send_response(204)
        handler.end_headers()

    target.special["/waits"] = waits
    with wire(gateway) as client:
        try:
            head = fields(gateway, "/waits")
            streams = [client.request(head) for _ in range(110)]
            deadline = time.monotonic() + 10
            while len(client.resets) < 10 and time.monotonic() < deadline:
                client.pump()
            assert set(client.resets.values()) <= {PROTOCOL_ERROR, 7} and len(client.resets) == 10
        finally:
            release.set()
        assert [client.finish(one)[0] for one in streams].count(204) == 100


FLOODS = {
    "SETTINGS": lambda i: frame(SETTINGS, 0, 0),
    "PING": lambda i: frame(PING, 0, 0, b"12345678"),
    "PRIORITY": lambda i: frame(PRIORITY, 0, 3, struct.pack(">IB", 0, 1)),
    "WINDOW_UPDATE": lambda i: frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)),
}


@pytest.mark.parametrize("what", FLOODS)
def test_a_flood_of_frames_without_content_ends_the_connection(gateway, what):
    with wire(gateway, window=65535) as client:
        client.socket.settimeout(10)
        with contextlib.suppress(OSError):
            for i in range(20):
                client.send(b"".join(FLOODS[what](i) for _ in range(200)))
        client.until_over()
        assert client.over and client.away in (ENHANCE_YOUR_CALM, None)


def test_refused_streams_of_a_client_that_does_not_read_end_the_connection(gateway):
    with wire(gateway, seconds=20) as client:
        section = client.pack([(":method", "GET")])
        sent = 0
        with pytest.raises(OSError):
            for _ in range(2000):
                out = b""
                for _ in range(200):
                    out += frame(HEADERS, END_HEADERS | END_STREAM, client.next_id, section)
                    client.next_id += 2
                client.send(out)
                sent += 200
        assert sent < 100_000


def test_a_flood_of_empty_data_ends_the_connection(gateway):
    with wire(gateway) as client:
        stream = client.request(fields(gateway, "/notes", "POST"), end=False)
        with contextlib.suppress(OSError):
            for _ in range(20):
                client.send(frame(DATA, 0, stream) * 200)
        client.until_over()
        assert client.over


def test_rapid_reset_ends_the_connection(gateway, target):
    with wire(gateway) as client:
        head = fields(gateway, "/notes", "POST")
        with contextlib.suppress(OSError):
            for _ in range(50):
                out = b""
                for _ in range(20):
                    out += frame(HEADERS, END_HEADERS, client.next_id, client.pack(head))
                    out += frame(RST_STREAM, 0, client.next_id, struct.pack(">I", 8))
                    client.next_id += 2
                client.send(out)
        client.until_over()
        assert client.over
    assert len(target.requests) <= 400
    assert requests.get(f"{gateway.url}/c/crm/x", headers=gateway.bearer(), timeout=10,
                        verify=gateway.folder / "gateway.pem").ok


def test_a_header_section_that_is_too_large_is_431_and_one_without_end_ends_the_connection(gateway, target):
    with wire(gateway) as client:
        big = [(f"x-{i}", "v" * 900) for i in range(60)]
        packed = client.pack(fields(gateway, more=big))
        stream, client.next_id = client.next_id, client.next_id + 2
        pieces = [packed[i:i + 16_000] for i in range(0, len(packed), 16_000)]
        client.send(frame(HEADERS, END_STREAM, stream, pieces[0]) +
                    b"".join(frame(CONTINUATION, 0, stream, piece) for piece in pieces[1:]) +
                    frame(CONTINUATION, END_HEADERS, stream))
        assert client.finish(stream)[0] == 431
        # A table entry of 4000 bytes, named ten thousand times: small on the wire.
        once = client.pack(fields(gateway, more=[("x-big", "v" * 3900)]))
        assert client.finish(client.request(fields(gateway)))[0] == 200
        stream = client.next_id
        client.next_id += 2
        client.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, once + b"\xbe" * 10_000))
        assert client.finish(stream)[0] in (431, None)
    with wire(gateway) as client:
        packed = client.pack(fields(gateway))
        with contextlib.suppress(OSError):
            client.send(frame(HEADERS, END_STREAM, 1, packed))
            for _ in range(200):
                client.send(frame(CONTINUATION, 0, 1, b"\x00\x01a\x01b" * 1000))
        client.until_over()
        assert client.over and 1 not in client.statuses
    assert len(target.requests) == 1


def test_a_client_that_says_nothing_is_closed_and_a_shutdown_lets_a_stream_finish(target, tmp_path):
    gateway = WebGateway(tmp_path, CONNECTION.format(port=target.port), tls=True).start()
    release = threading.Event()

    def waits(handler, _):
        release.wait(20)
        handler.send_response(200)
        handler.send_header("Content-Length", "4")
        handler.end_headers()
        handler.wfile.write(b"late")

    target.special["/waits"] = waits
    try:
        with wire(gateway) as client, wire(gateway) as idle:
            assert idle.finish(idle.request(fields(gateway, "/x")))[0] == 200
            stream = client.request(fields(gateway, "/waits"))
            while not target.lines()[1:]:
                time.sleep(0.02)
            gateway.process.terminate()
            idle.until_over()
            assert idle.away == 0
            threading.Timer(0.5, release.set).start()
            assert client.finish(stream) == (200, b"late")
            client.until_over()
            assert client.away == 0
    finally:
        release.set()
        gateway.stop()
    gateway.verify()
