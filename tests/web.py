"""A gateway with an HTTP listener as operators run it, an issuer of the test's own for its tokens, and a target
that remembers every byte it was sent."""

import http.server
import json
import pathlib
import socket
import ssl
import subprocess
import threading
import time

import pytest
from conftest import BINARY, reactor_options
from local_issuer import LocalIssuer
from own_postgres import free_port
from serving import Gateway

AUDIENCE = "sallyport"
SECRET = "s3cr3t-of-the-target-2f81"

CONFIG = """\
data: ./data
log: {{level: debug, format: text}}
shutdown_grace_s: 2
listeners:
  http: {{port: {http}, public_url: "{url}"{tls}}}
  admin: {{port: {admin}, public_url: "http://127.0.0.1:{admin}"}}
issuers:
  - issuer: {issuer}
    audience: sallyport
    agents:
      copilot: {{name: Copilot, owner: alice, groups: [bots], attested: true}}
approvals: {{wait_s: 30}}
connections:
{connections}
policies: ./policies
{more}"""

CONNECTION = """\
  crm:
    protocol: http
    url: http://127.0.0.1:{port}
    hosts: [crm.gw.test]
    credential: {{header: X-Api-Key, value: "file:target.secret"}}
"""

POLICIES = """\
@id("connect") permit (principal, action == Action::"connect", resource);
@id("copilot-acts") permit (principal == Agent::"copilot", action == Action::"act_for", resource);
@id("read") permit (principal, action == Action::"http:read", resource in Connection::"crm");
@id("no-admin") forbid (principal, action in Action::"http:any", resource)
when { resource.path like "/admin*" };
@id("write") permit (principal in Group::"support", action == Action::"http:write", resource)
when { context.bodyBytes <= 100000000 };
@id("bots-write") permit (principal in Group::"bots", action == Action::"http:write", resource);
@id("only-page-1") forbid (principal, action, resource == Endpoint::"crm/GET /paged")
unless { context.query.hasTag("page") && context.query.getTag("page") == "1" };
"""


class Recorder:
    """An HTTP server of Python's own library. Answers with what it was sent, as JSON."""

    def __init__(self):
        self.requests = []  # (request line, headers, body)
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def read_body(self):
                if self.headers.get("Transfer-Encoding") == "chunked":
                    body = b""
                    while size := int(self.rfile.readline(), 16):
                        body += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                    return body
                return self.rfile.read(int(self.headers.get("Content-Length", "0")))

            def answer(self):
                body = self.read_body()
                recorder.requests.append((self.requestline, self.headers.items(), body))
                special = recorder.special.get(self.path.split("?")[0])
                if special:
                    return special(self, body)
                # Not the credential: the tests look for it on the client's side.
                seen = {name: value for name, value in self.headers.items()
                        if name.lower() != "x-api-key"}
                text = json.dumps({"line": self.requestline, "headers": seen,
                                   "bytes": len(body)}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(text)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = answer

            def log_message(self, *_):
                pass

        self.special = {}

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def lines(self):
        return [line for line, _, _ in self.requests]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def certificate(folder, name):
    """NAME.key and NAME.pem in the folder, signed by itself."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2",
                    "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem"],
                   check=True, capture_output=True)


class WebGateway(Gateway):
    def __init__(self, folder, connections, policies=POLICIES, more="", tls=False):  # not the base's: no PostgreSQL
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self.config = self.folder / "sallyport.yaml"
        self.ports = {"http": free_port(), "admin": free_port()}
        self.process = None
        self.issuer = LocalIssuer()
        (self.folder / "policies").mkdir(parents=True)
        (self.folder / "policies/all.cedar").write_text(policies)
        (self.folder / "target.secret").write_text(SECRET + "\n")
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.ports['http']}"
        if tls:
            certificate(self.folder, "gateway")
        self.config.write_text(CONFIG.format(
            **self.ports, url=self.url, tls=", tls: {certificate: gateway.pem, key: gateway.key}" if tls else "",
            issuer=self.issuer.url, connections=connections, more=more))
        self.log = self.folder / "gateway.log"

    def token(self, user="alice", groups=("support",), actors=(), **claims):
        """A person's access token, or one in which agents act for them, nearest last."""
        act = None
        for actor in actors:
            act = {"sub": actor, **({"act": act} if act else {})}
        return self.issuer.token({"sub": user, "aud": AUDIENCE, "client_id": actors[-1] if actors else "web",
                                  "groups": list(groups), "act": act, **claims})

    def bearer(self, *args, **kwargs):
        return {"Authorization": "Bearer " + self.token(*args, **kwargs)}

    def stop(self):
        code = super().stop()
        self.issuer.close()
        return code

    def raw(self, data, seconds=10, keep=False):
        """All bytes that come back on one connection."""
        with socket.create_connection(("127.0.0.1", self.ports["http"]), timeout=seconds) as client:
            client.sendall(data)
            if not keep:
                client.shutdown(socket.SHUT_WR)
            answer = b""
            try:
                while more := client.recv(65536):
                    answer += more
            except (TimeoutError, ConnectionResetError):
                pass
            return answer


def running_gateway(gateway):
    """For a fixture: `yield from running_gateway(WebGateway(...))`. Its ledger is verified in the end."""
    yield gateway.start()
    gateway.stop()
    gateway.verify()


# Fixtures, for tests to import.

@pytest.fixture(scope="module")
def target():
    recorder = Recorder()
    yield recorder
    recorder.close()


@pytest.fixture(autouse=True)
def forget(target):
    target.requests.clear()
    target.special.clear()
