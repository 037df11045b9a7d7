"""What a client or a target does on the wire at a bad moment: the gateway lives, and nothing is sent or served that
nobody may have any more."""

import contextlib
import socket
import socketserver
import ssl
import threading
import time

import pytest
import requests
from web import CONNECTION, WebGateway, certificate, forget, running_gateway, target  # noqa: F401


@pytest.fixture(scope="module")
def gateway(target, tmp_path_factory):
    yield from running_gateway(WebGateway(tmp_path_factory.mktemp("road"), CONNECTION.format(port=target.port)))


@contextlib.contextmanager
def behind(folder, handle, connection=CONNECTION, more=""):
    """A gateway in front of a server that does `handle(socket)` with every connection."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            with contextlib.suppress(OSError):
                handle(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 64

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        gateway = WebGateway(folder, connection.format(port=server.server_address[1]), more=more).start()
        try:
            yield gateway
            assert gateway.process.poll() is None, gateway.output()[-3000:]
        finally:
            code = gateway.stop()
            server.shutdown()
        assert code == 0, gateway.output()[-3000:]
    gateway.verify()


def read_head(connection, so_far=b""):
    """The head of a request, and what came behind it; b"" at the end."""
    while b"\r\n\r\n" not in so_far:
        more = connection.recv(65536)
        if not more:
            return b"", b""
        so_far += more
    head, _, rest = so_far.partition(b"\r\n\r\n")
    return head, rest


def head_of(gateway, more, method="POST", path="/x"):
    return (f"{method} /c/crm{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{more}"
            f"Authorization: {gateway.bearer()['Authorization']}\r\n\r\n").encode()


def everything_from(connection):
    answer = b""
    with contextlib.suppress(TimeoutError, ConnectionResetError):
        while more := connection.recv(65536):
            answer += more
    return answer


def test_one_write_at_a_time_to_a_client_that_does_not_read(tmp_path):
    def at_once(connection):
        rest = b""
        while True:
            head, rest = read_head(connection, rest)
            if not head:
                return
            connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            while not rest:  # its body
                rest = connection.recv(65536)
                if not rest:
                    return
            rest = rest[1:]

    with behind(tmp_path, at_once) as gateway:
        requests_ahead = (head_of(gateway, "Expect: 100-continue\r\nContent-Length: 1\r\n") + b"x") * 2000
        clients = []
        for _ in range(6):
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", gateway.ports["http"]))
            clients.append(client)

            def send(client=client):
                with contextlib.suppress(OSError):
                    client.sendall(requests_ahead)
            threading.Thread(target=send, daemon=True).start()
        end = time.monotonic() + 5
        while time.monotonic() < end:
            assert gateway.process.poll() is None, gateway.output()[-3000:]
            time.sleep(0.1)
        for client in clients:
            client.close()
        assert requests.get(f"{gateway.url}/c/crm/x", headers=gateway.bearer(), timeout=10).status_code == 404


def test_nothing_is_sent_for_a_session_that_ended_while_its_target_was_slow_to_connect(tmp_path):
    certificate(tmp_path, "late")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "late.pem", tmp_path / "late.key")
    accepted, go_on, heard, over = threading.Event(), threading.Event(), [], threading.Event()

    def late(connection):
        accepted.set()
        go_on.wait(20)
        with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
            secured.settimeout(5)
            with contextlib.suppress(OSError):
                heard.append(secured.recv(65536))
        over.set()

    https = CONNECTION.replace("http://127", "https://127") + "    tls: {{mode: require}}\n"
    with behind(tmp_path / "gateway", late, https) as gateway:
        told = []
        with socket.create_connection(("127.0.0.1", gateway.ports["http"]), timeout=20) as client:
            client.sendall(head_of(gateway, "Content-Length: 2\r\n") + b"hi")
            assert accepted.wait(10)
            (gateway.folder / "policies/all.cedar").write_text('@id("none") forbid (principal, action, resource);\n')
            gateway.process.send_signal(1)  # SIGHUP
            told.append(everything_from(client))
            go_on.set()
            assert over.wait(10)
        assert heard in ([], [b""]), heard
        assert told == [b""]


def test_a_semicolon_in_a_query_is_refused(gateway, target):
    for query in ("a=1;b=2", "page=1;page=2", ";"):
        assert gateway.raw(head_of(gateway, "", "GET", f"/x?{query}")).startswith(b"HTTP/1.1 400 "), query
    assert target.requests == []
    assert requests.get(f"{gateway.url}/c/crm/x?a=1%3Bb", headers=gateway.bearer()).status_code == 200


@pytest.mark.parametrize("who", ["the target", "the gateway"])
def test_an_early_413_is_seen_by_who_sends_all_of_its_body_first(tmp_path, who):
    def early(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nbig!")
        time.sleep(20)

    connection = CONNECTION + ("" if who == "the target" else "    request_bytes_max: 1000\n")
    size = 16_000_000
    with behind(tmp_path, early, connection) as gateway:
        with socket.create_connection(("127.0.0.1", gateway.ports["http"]), timeout=20) as client:
            began = time.monotonic()
            client.sendall(head_of(gateway, f"Content-Length: {size}\r\n") + b"x" * size)
            answer = everything_from(client)
            assert answer.startswith(b"HTTP/1.1 413 ") and b"\r\nConnection: close\r\n" in answer
            assert time.monotonic() - began < 15
        # Who never stops is not listened to for ever.
        with socket.create_connection(("127.0.0.1", gateway.ports["http"]), timeout=20) as client:
            began = time.monotonic()
            client.sendall(head_of(gateway, "Transfer-Encoding: chunked\r\n" if who == "the target" else
                                   "Content-Length: 999999999999\r\n"))
            with pytest.raises(OSError):
                while time.monotonic() - began < 40:
                    client.sendall(b"1\r\nx\r\n")
                    time.sleep(0.05)
            assert time.monotonic() - began < 20


def test_a_body_that_drips_in_is_given_up(gateway, target, tmp_path):
    patient = WebGateway(tmp_path, CONNECTION.format(port=target.port) + "    request_bytes_per_s_min: 0\n").start()
    answers = {}

    def drip(name, gateway, piece, every, count):
        with socket.create_connection(("127.0.0.1", gateway.ports["http"]), timeout=60) as client:
            began = time.monotonic()
            client.sendall(head_of(gateway, f"Connection: close\r\nContent-Length: {len(piece) * count}\r\n"))
            with contextlib.suppress(OSError):
                for _ in range(count):
                    time.sleep(every)
                    client.sendall(piece)
            answers[name] = everything_from(client), time.monotonic() - began

    threads = [threading.Thread(target=drip, args=arguments) for arguments in (
        ("drips", gateway, b"x", 0.5, 90), ("flows", gateway, b"x" * 500, 0.5, 70), ("may drip", patient, b"x", 0.5, 70))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(80)
    try:
        answer, seconds = answers["drips"]
        assert answer.startswith(b"HTTP/1.1 408 ") and 29 < seconds, (answer, seconds)
        assert answers["flows"][0].startswith(b"HTTP/1.1 200 ") and answers["flows"][1] > 35, answers["flows"]
        assert answers["may drip"][0].startswith(b"HTTP/1.1 200 "), answers["may drip"]
        assert {35000, 70} <= {len(body) for _, _, body in target.requests}
    finally:
        patient.stop()
    patient.verify()


def test_nothing_is_served_after_the_answer_that_closes(tmp_path):
    heads = []
    rest_sent = threading.Event()

    def slowly(connection):
        head, body = read_head(connection)
        heads.append(head)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
        while len(body) < 5:
            body += connection.recv(65536)
        rest_sent.wait(10)
        connection.sendall(b"67890")
        head, _ = read_head(connection, body[5:])
        if head:
            heads.append(head)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with behind(tmp_path, slowly) as gateway:
        with socket.create_connection(("127.0.0.1", gateway.ports["http"]), timeout=10) as client:
            client.sendall(head_of(gateway, "Content-Length: 5\r\n") + b"a")
            answer = client.recv(65536)
            while b"\r\n\r\n" not in answer:
                answer += client.recv(65536)
            assert b"\r\nConnection: close\r\n" in answer
            client.sendall(b"bcde" + head_of(gateway, "", "GET", "/second"))
            time.sleep(0.5)
            rest_sent.set()
            answer += everything_from(client)
        assert answer.endswith(b"1234567890"), answer
        assert len(heads) == 1, heads
