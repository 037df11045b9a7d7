"""HTTP through the gateway: curl, requests, httpx and an agent's token, unmodified, to a real server behind it."""

import json
import os
import socketserver
import subprocess
import threading
import time

import httpx
import pytest
import requests
from conftest import BINARY
from web import CONNECTION, SECRET, WebGateway, forget, running_gateway, target  # noqa: F401


@pytest.fixture(scope="module")
def gateway(target, tmp_path_factory):
    yield from running_gateway(WebGateway(tmp_path_factory.mktemp("http"), CONNECTION.format(port=target.port)))


def curl(*arguments):
    done = subprocess.run(["curl", "-sS", "--max-time", "20", *arguments], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---- clients ----

def test_curl_by_path_and_by_host(gateway, target):
    header = "Authorization: " + gateway.bearer()["Authorization"]
    by_path = json.loads(curl("-H", header, f"{gateway.url}/c/crm/customers/42?page=2"))
    assert by_path["line"] == "GET /customers/42?page=2 HTTP/1.1"
    assert by_path["headers"]["Host"] == f"127.0.0.1:{target.port}"
    assert by_path["headers"]["X-Forwarded-Prefix"] == "/c/crm"
    by_host = json.loads(curl("-H", header, "-H", "Host: CRM.gw.test", f"{gateway.url}/customers/42"))
    assert by_host["line"] == "GET /customers/42 HTTP/1.1"


def test_requests_and_httpx_with_kept_connections(gateway, target):
    with requests.Session() as session:
        for number in range(5):
            answer = session.post(f"{gateway.url}/c/crm/notes", json={"n": number}, headers=gateway.bearer())
            assert answer.status_code == 200 and answer.json()["bytes"] > 5
    with httpx.Client(headers=gateway.bearer()) as client:
        for _ in range(5):
            assert client.get(f"{gateway.url}/c/crm/customers").status_code == 200
        assert client.head(f"{gateway.url}/c/crm/customers").status_code == 200
        assert client.put(f"{gateway.url}/c/crm/customers/1", content=b"x" * 1000).json()["bytes"] == 1000
    assert len(target.requests) == 12


def test_an_agents_token_with_an_act_chain(gateway, target):
    answer = requests.get(f"{gateway.url}/c/crm/customers", headers=gateway.bearer(actors=["copilot"]))
    assert answer.status_code == 200, answer.text
    # The user may write, and so may the agent; a user without the group may not, whoever acts.
    assert requests.post(f"{gateway.url}/c/crm/notes", data="x",
                         headers=gateway.bearer(actors=["copilot"])).status_code == 200
    refused = requests.post(f"{gateway.url}/c/crm/notes", data="x",
                            headers=gateway.bearer("bob", groups=(), actors=["copilot"]))
    assert refused.status_code == 403
    assert 'User "bob" may not http:write' in refused.json()["detail"]
    # An agent that nobody registered.
    unknown = requests.get(f"{gateway.url}/c/crm/customers", headers=gateway.bearer(actors=["stranger"]))
    assert unknown.status_code == 401
    assert len(target.requests) == 2
    time.sleep(0.3)
    commands = [one for one in gateway.records() if one["kind"] == "command"]
    chains = {one["data"]["who"] for one in commands}
    assert {"alice via copilot"} <= chains
    denied = [one for one in gateway.records() if one["kind"] == "refusal"]
    assert any(one["data"]["who"] == "bob via copilot" for one in denied)


# ---- who ----

def test_without_a_token_401_says_where_to_get_one(gateway, target):
    answer = requests.get(f"{gateway.url}/c/crm/customers")
    assert answer.status_code == 401
    challenge = answer.headers["WWW-Authenticate"]
    url = challenge.split('resource_metadata="')[1].split('"')[0]
    assert url == f"{gateway.url}/.well-known/oauth-protected-resource/c/crm"
    metadata = requests.get(url).json()
    assert metadata["resource"] == f"{gateway.url}/c/crm"
    assert metadata["authorization_servers"] == [gateway.issuer.url]
    by_host = requests.get(f"{gateway.url}/x", headers={"Host": "crm.gw.test"})
    assert 'resource_metadata="http://crm.gw.test/.well-known/oauth-protected-resource"' in \
        by_host.headers["WWW-Authenticate"]
    assert target.requests == []


@pytest.mark.parametrize("claims", [{"exp": 1000}, {"aud": "other"}, {"iss": "https://evil.example"}])
def test_a_bad_token_is_refused(gateway, target, claims):
    answer = requests.get(f"{gateway.url}/c/crm/customers", headers=gateway.bearer(**claims))
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert target.requests == []


def test_a_token_in_another_place_is_none(gateway, target):
    token = gateway.token()
    assert requests.get(f"{gateway.url}/c/crm/x?access_token={token}").status_code == 401
    assert requests.get(f"{gateway.url}/c/crm/x", headers={"Authorization": "Basic " + token}).status_code == 401
    assert requests.get(f"{gateway.url}/c/crm/x", cookies={"token": token}).status_code == 401
    assert target.requests == []


# ---- what ----

def test_a_refusal_is_a_problem_that_names_the_policy(gateway, target):
    answer = requests.get(f"{gateway.url}/c/crm/admin/users", headers=gateway.bearer())
    assert answer.status_code == 403
    problem = answer.json()
    assert problem["policy"] == "no-admin" and problem["next_action"] == "none"
    assert problem["type"] == "urn:sallyport:problem:policy"
    assert requests.delete(f"{gateway.url}/c/crm/customers/1", headers=gateway.bearer()).status_code == 403
    assert target.requests == []


def test_policies_see_query_parameters(gateway, target):
    for query, status in [("page=1", 200), ("page=%31", 200), ("page=2", 403), ("", 403),
                          ("page=1&page=2", 403), ("page=2&page=1", 403)]:
        answer = requests.get(f"{gateway.url}/c/crm/paged?{query}", headers=gateway.bearer())
        assert answer.status_code == status, query
    assert len(target.requests) == 2


def test_every_request_is_in_the_ledger_with_its_chain_and_how_it_ended(gateway, target):
    requests.get(f"{gateway.url}/c/crm/ledger-test?token=hide-me-please&x=1", headers=gateway.bearer("carol"))
    time.sleep(0.3)
    records = gateway.records()
    command = next(one for one in records if one["kind"] == "command" and
                   one["data"]["command"]["text"].startswith("GET /ledger-test"))
    assert command["data"]["command"]["text"] == "GET /ledger-test?token=(not shown)&x=1"
    assert command["data"]["who"] == "carol"
    assert command["data"]["command"]["actions"] == [
        {"action": "http:read", "type": "Endpoint", "resource": "crm/GET /ledger-test"}]
    outcome = next(one for one in records if one["kind"] == "outcome" and
                   one["data"]["command"] == command["sequence"])
    assert outcome["data"]["tag"] == "200" and outcome["data"]["bytes"] > 10
    start = next(one for one in records if one["kind"] == "session_start" and
                 one["session"] == command["session"])
    assert start["data"]["protocol"] == "http"
    assert [one["id"] for one in start["data"]["chain"]] == ["carol"]


# ---- what passes ----

OWNED = ["X-Forwarded-For", "X-Forwarded-User", "X-FORWARDED-HOST", "Forwarded", "X-Real-IP", "X-User",
         "X-Remote-User", "Remote-User", "Impersonate-User", "X-Auth-Request-Email", "Sallyport-Assertion",
         "X-HTTP-Method-Override", "X-Original-URL", "X-Rewrite-URL", "X-Api-Key", "X-Groups",
         "Proxy-Authorization", "DPoP", "X-Client-Cert", "X-Amzn-Oidc-Data", "X-Goog-Iap-Jwt-Assertion"]


def test_identity_fields_of_the_client_do_not_pass_in_any_spelling(gateway, target):
    for name in OWNED:
        for spelling in {name, name.lower(), name.upper(), name.replace("-", "_"), name.replace("-", "."),
                         name.replace("-", "_").lower()}:
            target.requests.clear()
            answer = requests.get(f"{gateway.url}/c/crm/x", headers={**gateway.bearer(), spelling: "evil-value"})
            assert answer.status_code == 200, spelling
            (_, headers, _), = target.requests
            assert "evil-value" not in str(headers), spelling
    # Others do.
    requests.get(f"{gateway.url}/c/crm/x", headers={**gateway.bearer(), "X-Request-Id": "good-value"})
    assert "good-value" in str(target.requests[-1][1])


def test_the_targets_credential_is_added_and_the_clients_is_not_there(gateway, target):
    bearer = gateway.bearer()
    answer = requests.get(f"{gateway.url}/c/crm/x", headers=bearer)
    (_, headers, _), = target.requests
    assert dict(headers)["X-Api-Key"] == SECRET
    assert "Authorization" not in dict(headers)
    assert bearer["Authorization"][7:] not in str(headers)
    assert SECRET not in answer.text and SECRET not in str(answer.headers)


def test_locations_and_cookies_of_the_target_become_ours(gateway, target):
    def login(handler, _):
        handler.send_response(302)
        handler.send_header("Location", "/home?x=1")
        handler.send_header("Set-Cookie", "sid=abc; Domain=internal.example; Path=/app; HttpOnly")
        handler.send_header("Set-Cookie", "plain=1")
        handler.send_header("Alt-Svc", 'h3=":443"')
        handler.send_header("Content-Length", "0")
        handler.end_headers()
    target.special["/login"] = login
    answer = requests.get(f"{gateway.url}/c/crm/login", headers=gateway.bearer(), allow_redirects=False)
    assert answer.headers["Location"] == "/c/crm/home?x=1"
    assert "Alt-Svc" not in answer.headers
    cookies = answer.raw.headers.getlist("Set-Cookie")
    assert cookies == ["sid=abc; Path=/c/crm/app; HttpOnly", "plain=1; Path=/c/crm/"]
    assert requests.get(f"{gateway.url}/login", headers={**gateway.bearer(), "Host": "crm.gw.test"},
                        allow_redirects=False).headers["Location"] == "/home?x=1"


# ---- streaming ----

def test_large_bodies_stream_both_ways(gateway, target):
    megabytes = 12
    def blob(handler, body):
        handler.send_response(200)
        handler.send_header("Content-Type", "application/octet-stream")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for _ in range(megabytes):
            handler.wfile.write(b"100000\r\n" + b"z" * (1 << 20) + b"\r\n")
        handler.wfile.write(b"0\r\n\r\n")
    target.special["/blob"] = blob
    body = b"y" * (megabytes << 20)
    answer = requests.post(f"{gateway.url}/c/crm/blob", data=body, headers=gateway.bearer())
    assert answer.content == b"z" * (megabytes << 20)
    assert target.requests[-1][2] == body
    def pieces():
        for _ in range(64):
            yield b"p" * 10000
    chunked = requests.post(f"{gateway.url}/c/crm/notes", data=pieces(), headers=gateway.bearer())
    assert chunked.json()["bytes"] == 640000


def test_an_answer_is_passed_on_piece_by_piece(gateway, target):
    opened, go_on = threading.Event(), threading.Event()
    def events(handler, _):
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Connection", "close")
        handler.end_headers()
        assert opened.wait(10)  # the client has the head before there is an event
        handler.wfile.write(b"data: one\n\n")
        handler.wfile.flush()
        go_on.wait(10)
        handler.wfile.write(b"data: two\n\n")
        handler.close_connection = True
    target.special["/events"] = events
    with requests.get(f"{gateway.url}/c/crm/events", headers=gateway.bearer(), stream=True) as answer:
        opened.set()
        lines = answer.iter_lines()
        assert next(lines) == b"data: one"  # before the target has said the rest
        go_on.set()
        assert list(lines) == [b"", b"data: two", b""]


def test_a_body_that_is_too_large_is_refused(gateway, target):
    answer = gateway.raw(b"POST /c/crm/notes HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999999\r\n"
                         b"Authorization: " + gateway.bearer()["Authorization"].encode() + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert target.requests == []


def test_expect_continue_is_answered_only_when_it_is_permitted(gateway, target):
    def ask(path, groups):
        head = (f"POST /c/crm{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n"
                f"Connection: close\r\nAuthorization: {gateway.bearer(groups=groups)['Authorization']}\r\n\r\n")
        return gateway.raw(head.encode() + b"12345", keep=True)
    assert ask("/notes", ["support"]).startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ")
    assert ask("/notes", []).startswith(b"HTTP/1.1 403 ")
    assert [len(body) for _, _, body in target.requests] == [5]


# ---- targets that fail ----

def test_what_changes_something_is_not_sent_twice(gateway, target):
    def hang_up(handler, _):
        handler.close_connection = True
        handler.connection.close()
    target.special["/notes"] = hang_up
    target.special["/read"] = hang_up
    with requests.Session() as session:
        session.get(f"{gateway.url}/c/crm/customers", headers=gateway.bearer())  # a kept connection
        answer = session.post(f"{gateway.url}/c/crm/notes", data="x", headers=gateway.bearer())
        assert answer.status_code == 502
        assert answer.json()["type"] == "urn:sallyport:problem:target"
        session.get(f"{gateway.url}/c/crm/customers", headers=gateway.bearer())
        assert session.get(f"{gateway.url}/c/crm/read", headers=gateway.bearer()).status_code == 502
    assert [line.split()[1] for line in target.lines()].count("/notes") == 1
    assert [line.split()[1] for line in target.lines()].count("/read") == 2


def test_a_target_that_closes_idle_connections_is_no_error(gateway, target):
    def once(handler, _):
        handler.send_response(200)
        handler.send_header("Content-Length", "2")
        handler.end_headers()
        handler.wfile.write(b"ok")
        handler.close_connection = True  # without saying so
    target.special["/once"] = once
    with requests.Session() as session:
        for _ in range(20):
            assert session.post(f"{gateway.url}/c/crm/once", data="x", headers=gateway.bearer()).text == "ok"
            time.sleep(0.02)
    assert len(target.requests) == 20


def test_nobody_home(gateway):
    assert requests.get(f"{gateway.url}/c/nothing/x", headers=gateway.bearer()).status_code == 404
    assert requests.get(f"{gateway.url}/", headers=gateway.bearer()).status_code == 404
    assert requests.get(f"{gateway.url}/x", headers={"Host": "evil.example"}).status_code == 421


def test_revocation_of_policies_ends_a_stream(target, tmp_path):
    gateway = WebGateway(tmp_path, CONNECTION.format(port=target.port)).start()
    try:
        def events(handler, _):
            handler.send_response(200)
            handler.send_header("Connection", "close")
            handler.end_headers()
            for _ in range(200):
                handler.wfile.write(b"tick\n")
                handler.wfile.flush()
                time.sleep(0.05)
        target.special["/events"] = events
        with requests.get(f"{gateway.url}/c/crm/events", headers=gateway.bearer(), stream=True) as answer:
            pieces = answer.iter_content(5)
            next(pieces)
            (gateway.folder / "policies/all.cedar").write_text(
                '@id("none") forbid (principal, action, resource);\n')
            gateway.process.send_signal(1)  # SIGHUP
            began = time.monotonic()
            with pytest.raises(requests.exceptions.ChunkedEncodingError):
                for _ in pieces:
                    pass
            assert time.monotonic() - began < 2
    finally:
        gateway.stop()
    gateway.verify()


def test_sallyport_http_curl(gateway, target):
    def run(*arguments):
        return subprocess.run(
            [BINARY, "http", "curl", *arguments], capture_output=True, text=True, timeout=60, check=False,
            env={**os.environ, "SALLYPORT_GATEWAY": f"http://127.0.0.1:{gateway.ports['admin']}",
                 "SALLYPORT_TOKEN": gateway.token()})
    done = run("crm", "/customers/7?a=b", "--", "-sS", "-X", "POST", "--data", "x=1")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["line"] == "POST /customers/7?a=b HTTP/1.1"
    assert "spt_" not in str(target.requests)
    assert run("nothing", "/x").returncode == 1
    # The ticket is for one connection, and is in no argument that others can see.
    with_trace = run("crm", "/customers/7", "--", "-sS", "-v")
    assert "HTTP/1.1 200" in with_trace.stderr



def test_an_answer_before_the_body_is_over_ends_the_request(tmp_path):
    class Early(socketserver.StreamRequestHandler):
        def handle(self):  # reads no body
            while self.rfile.readline() not in (b"\r\n", b""):
                pass
            self.wfile.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nbig!")
            self.wfile.flush()
            time.sleep(20)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
    with Server(("127.0.0.1", 0), Early) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        gateway = WebGateway(tmp_path, CONNECTION.format(port=server.server_address[1])).start()
        try:
            began = time.monotonic()
            answer = gateway.raw(
                f"POST /c/crm/x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 16000000\r\n"
                f"Authorization: {gateway.bearer()['Authorization']}\r\n\r\n".encode() + b"x" * 1000, keep=True)
            assert answer.startswith(b"HTTP/1.1 413 ") and answer.endswith(b"big!")
            assert b"Connection: close" in answer and time.monotonic() - began < 5
        finally:
            gateway.stop()
            server.shutdown()
    gateway.verify()
