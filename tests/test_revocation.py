"""Delegations ahead of time, and what ends an open session before its time."""

import json
import os
import pathlib
import signal
import socket
import ssl
import struct
import subprocess
import time
from datetime import datetime

import pytest
from agents import Admin, dsn, psql
from conftest import BINARY, Demo
from local_issuer import LocalIssuer

DELEGATION = "urn:sallyport:params:oauth:token-type:delegation"
AUDIENCE = "https://gateway.example.com"


class Shop:
    """A demo whose configuration can be changed and read again."""

    def __init__(self, folder, issuer):
        self.more = pathlib.Path(folder) / "more.yaml"
        self.issuer = issuer
        self.configure()
        self.demo = Demo(folder, "--config", str(self.more))
        self.admin = Admin(self.demo.ready["admin"]["url"], self.demo.ready["ca_file"])
        self.port = self.demo.ready["postgres"]["port"]
        self.ca_file = self.demo.ready["ca_file"]

    def configure(self, builtin="", company=""):
        self.more.write_text(f"""\
builtin_issuer:
  agents:
    helper: {{name: Helper, secret: "helper-secret"}}
{builtin}
issuers:
  - issuer: {self.issuer.url}
    name: company
    audience: {AUDIENCE}
    cli_client_id: gateway
{company}
""")

    def reload(self):
        self.demo.process.send_signal(signal.SIGHUP)

    def user(self, name):
        return self.demo.ready["users"][name]["token"]

    def agent(self, name="support-copilot"):
        secret = ("helper-secret" if name == "helper" else
                  self.demo.ready["agents"]["support-copilot"]["client_secret"])
        return self.admin.agent_token(name, secret)

    def run(self, user, *arguments, token=None):
        return subprocess.run(
            [BINARY, *arguments], capture_output=True, text=True, timeout=60,
            env={**os.environ, "SALLYPORT_GATEWAY": self.admin.url, "SALLYPORT_CA": self.ca_file,
                 "SALLYPORT_TOKEN": token or self.user(user)})

    def delegate(self, user="alice", agent="support-copilot", more=()):
        done = self.run(user, "delegate", agent, "--connection", "shop", "--for", "2h", "--json",
                        *more)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def exchange(self, delegation, agent="support-copilot", **more):
        return self.admin.exchange(delegation, self.agent(agent), subject_token_type=DELEGATION,
                                   **more)

    def by_delegation(self, delegation):
        status, body = self.exchange(delegation)
        assert status == 200, body
        return body["access_token"]

    def dsn(self, user, token):
        return dsn(self.port, user, token, self.ca_file)

    def records(self, *options):
        done = self.demo.sallyport("ledger", "export", "--data", str(self.demo.data), *options)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def company_user(self, name="carol", **more):
        return self.issuer.token({"sub": name, "aud": AUDIENCE, "client_id": "gateway",
                                  "groups": ["support"], "scope": "db:read", **more})

    def log_out(self, header=None, **more):
        claims = {"aud": "gateway",
                  "events": {"http://schemas.openid.net/event/backchannel-logout": {}}, **more}
        return self.admin.form("/oauth2/backchannel_logout", {
            "logout_token": self.issuer.token(claims, {"typ": "logout+jwt", **(header or {})})})


@pytest.fixture
def shop(tmp_path):
    issuer = LocalIssuer()
    one = Shop(tmp_path, issuer)
    yield one
    one.demo.stop()
    issuer.close()


class Raw:
    """A session on a bare socket, so that a test decides what is read and when."""

    def __init__(self, shop, user, token):
        context = ssl.create_default_context(cafile=shop.ca_file)
        plain = socket.create_connection(("127.0.0.1", shop.port), 30)
        plain.sendall(struct.pack("!II", 8, 80877103))
        assert plain.recv(1) == b"S"
        self.socket = context.wrap_socket(plain, server_hostname="127.0.0.1")
        body = b"user\0" + user.encode() + b"#jwt\0database\0shop\0\0"
        self.socket.sendall(struct.pack("!II", 8 + len(body), 196608) + body)
        self.buffer = b""
        assert self.message()[0] == b"R"
        self.send(b"p", token.encode() + b"\0")
        while self.message()[0] != b"Z":
            pass

    def send(self, kind, body):
        self.socket.sendall(kind + struct.pack("!I", 4 + len(body)) + body)

    def query(self, text):
        self.send(b"Q", text.encode() + b"\0")

    def read(self, size):
        while len(self.buffer) < size:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self.buffer += data
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def message(self):
        head = self.read(5)
        body = self.read(struct.unpack("!I", head[1:])[0] - 4)
        if head[:1] == b"E":
            self.error = body.decode(errors="replace")
        return head[:1], body

    def until_closed(self, seconds=5):
        """How long until the gateway closed it, and the last error it told. What is in between is
        only thrown away: megabytes of rows are on their way, and to cut them into messages here
        would take longer than the gateway has."""
        started = time.monotonic()
        self.socket.settimeout(seconds)
        tail = self.buffer[-4096:]
        try:
            while data := self.socket.recv(1 << 20):
                tail = (tail + data)[-4096:]
        except (ConnectionError, ssl.SSLError):
            pass
        return time.monotonic() - started, tail.decode(errors="replace")


STREAM = "select a.id, b.status, c.total from orders a, orders b, orders c"


def test_a_delegation_works_with_the_agents_token_alone(shop):
    made = shop.delegate(more=("--reason", "ticket 4711"))
    assert made["state"] == "active" and made["may_connect"] is True
    token = shop.by_delegation(made["id"])
    done = psql(shop.dsn("alice", token), "select count(*) from orders")
    assert done.stdout.strip() == "1000", done.stderr
    listed = json.loads(shop.run("alice", "delegations", "list", "--json").stdout)["delegations"]
    assert [one["id"] for one in listed] == [made["id"]]
    assert listed[0]["reason"] == "ticket 4711"
    plain = shop.run("alice", "delegations", "list").stdout
    assert made["id"] in plain and "support-copilot for alice on shop" in plain
    # The agent sees it too, others do not.
    assert made["id"] in shop.run("", "delegations", "list", token=shop.agent()).stdout
    assert made["id"] not in shop.run("dana", "delegations", "list").stdout
    text = json.dumps(shop.records("--kind", "admin_change"))
    assert "delegation.created" in text and "ticket 4711" in text and made["id"] in text
    started = [one for one in shop.records("--kind", "session_start")
               if made["id"] in json.dumps(one)]
    assert len(started) == 1


def test_a_delegation_is_bound(shop):
    made = shop.delegate()
    status, refused = shop.exchange(made["id"], "helper")
    assert (status, refused["error"]) == (400, "invalid_grant")
    status, refused = shop.exchange(made["id"], scope="db:write")
    assert (status, refused["error"]) == (400, "invalid_scope")
    # Neither the agent nor its delegated token can make more of it.
    token = shop.by_delegation(made["id"])
    status, refused = shop.admin.api("POST", "/api/v1/delegations", token, {
        "agent": "helper", "connection": "shop", "for_s": 600})
    assert status == 403, refused
    status, refused = shop.admin.api("GET", "/api/v1/delegations", token)
    assert status == 403
    status, refused = shop.admin.api("POST", "/api/v1/delegations", shop.agent(), {
        "agent": "helper", "connection": "shop", "for_s": 600})
    assert status in (403, 404)
    status, ticket = shop.admin.api("POST", "/api/v1/tickets", token, {"connection": "shop"})
    assert status == 201, ticket


@pytest.mark.parametrize("arguments, told", [
    (("nobody", "--connection", "shop", "--for", "2h"), "no agent"),
    (("support-copilot", "--connection", "nothing", "--for", "2h"), "no connection"),
    (("support-copilot", "--connection", "shop", "--for", "25h"), "24 hours"),
    (("support-copilot", "--connection", "shop", "--for", "1s"), "one minute"),
    (("support-copilot", "--connection", "shop", "--for", "soon"), "no time"),
])
def test_what_cannot_be_delegated_is_said(demo, arguments, told):
    done = subprocess.run(
        [BINARY, "delegate", *arguments], capture_output=True, text=True, timeout=60,
        env={**os.environ, "SALLYPORT_GATEWAY": demo.ready["admin"]["url"],
             "SALLYPORT_CA": demo.ready["ca_file"],
             "SALLYPORT_TOKEN": demo.ready["users"]["alice"]["token"]})
    assert done.returncode != 0 and told in done.stderr, done.stderr


def test_revoking_a_delegation_ends_idle_and_streaming_and_stuck_sessions(shop):
    made = shop.delegate()
    token = shop.by_delegation(made["id"])
    own = Raw(shop, "alice", shop.user("alice"))
    idle, streaming, stuck = (Raw(shop, "alice", token) for _ in range(3))
    for one in (streaming, stuck):
        one.query(STREAM)
        assert one.message()[0] == b"T"
    time.sleep(1)  # stuck has stopped reading; everything between is full
    done = shop.run("alice", "delegations", "revoke", made["id"])
    assert done.returncode == 0, done.stderr
    for one in (idle, streaming):
        seconds, error = one.until_closed()
        assert seconds < 1, seconds
    # Nobody reads `stuck`: the gateway must have closed it all the same. How soon, its records say;
    # to read them takes a while.
    end = time.monotonic() + 10
    while time.monotonic() < end:
        ended = [one for one in shop.records("--kind", "session_end")
                 if '"revoked"' in json.dumps(one)]
        if len(ended) == 3:
            break
    assert len(ended) == 3, ended
    withdrawn = [one for one in shop.records("--kind", "admin_change")
                 if one["data"]["action"] == "delegation.revoked"][-1]
    for one in ended:
        assert (datetime.fromisoformat(one["time"].rstrip("Z")) -
                datetime.fromisoformat(withdrawn["time"].rstrip("Z"))).total_seconds() < 1, one
    own.query("select 1")
    assert own.message()[0] == b"T"
    # It stays revoked, also after a restart of everything that is in memory.
    assert shop.exchange(made["id"])[1]["error"] == "invalid_grant"
    done = psql(shop.dsn("alice", token), "select 1")
    assert done.returncode == 2 and "withdrawn" in done.stderr
    assert shop.admin.call("GET", "/metrics")[1].count("sallyport_sessions_revoked_total") >= 1


def test_an_idle_session_is_told_why_it_ends(shop):
    made = shop.delegate()
    idle = Raw(shop, "alice", shop.by_delegation(made["id"]))
    shop.run("alice", "delegations", "revoke", made["id"])
    _, error = idle.until_closed()
    assert "withdrawn" in error and "28000" in error


def test_the_agent_may_give_a_delegation_back(shop):
    made = shop.delegate()
    done = shop.run("", "delegations", "revoke", made["id"], token=shop.agent("helper"))
    assert done.returncode != 0
    done = shop.run("bob", "delegations", "revoke", made["id"])
    assert done.returncode != 0
    done = shop.run("", "delegations", "revoke", made["id"], token=shop.agent())
    assert done.returncode == 0, done.stderr
    assert shop.exchange(made["id"])[0] == 400


def test_a_user_who_is_deactivated_is_out_within_a_second(shop):
    sessions = [Raw(shop, "alice", shop.user("alice")),
                Raw(shop, "alice", shop.by_delegation(shop.delegate()["id"]))]
    other = Raw(shop, "dana", shop.user("dana"))
    shop.configure("  users:\n    alice: {active: false}")
    shop.reload()
    for one in sessions:
        seconds, error = one.until_closed()
        assert seconds < 1 and "deactivated" in error, (seconds, error)
    other.query("select 1")
    assert other.message()[0] == b"T"
    done = psql(shop.dsn("alice", shop.user("alice")), "select 1")
    assert done.returncode == 2 and "deactivated" in done.stderr
    assert shop.run("alice", "whoami").returncode == 3
    shop.configure()
    shop.reload()
    end = time.monotonic() + 5
    while psql(shop.dsn("alice", shop.user("alice")), "select 1").returncode != 0:
        assert time.monotonic() < end


def test_a_change_of_groups_ends_what_stood_on_the_old_ones(shop):
    session = Raw(shop, "alice", shop.user("alice"))
    shop.configure("  users:\n    alice: {groups: [developers]}")
    shop.reload()
    seconds, error = session.until_closed()
    assert seconds < 1 and "groups of alice" in error


def test_an_agent_that_is_removed_is_out_within_a_second(shop):
    made = shop.delegate(agent="helper")
    assert made["may_connect"] is False  # no policy knows the helper
    session = Raw(shop, "alice", shop.by_delegation(shop.delegate()["id"]))
    policies = shop.demo.data / "policies/20-shop.cedar"
    text = policies.read_text()
    # Policies that no longer let the chain connect: the user may still, the agent not.
    policies.write_text(text.replace('@id("copilot-connect")\npermit', '@id("copilot-connect")\nforbid'))
    own = Raw(shop, "alice", shop.user("alice"))
    shop.reload()
    seconds, error = session.until_closed()
    assert seconds < 1 and "support-copilot" in error
    own.query("select 1")
    assert own.message()[0] == b"T"


def test_a_reload_that_is_refused_changes_nobody(shop):
    session = Raw(shop, "alice", shop.user("alice"))
    shop.configure("  users:\n    alice: {active: maybe}")
    shop.reload()
    time.sleep(1)
    session.query("select 1")
    assert session.message()[0] == b"T"


def test_backchannel_logout_ends_what_is_open(shop):
    carol, other = shop.company_user(sid="s1"), shop.company_user(sid="s2")
    sessions = {name: Raw(shop, "company|carol", token)
                for name, token in (("one", carol), ("two", other))}
    delegated = shop.admin.exchange(carol, shop.agent())[1]["access_token"]
    status, _ = shop.log_out(sid="s1")
    assert status == 200
    seconds, error = sessions["one"].until_closed()
    assert seconds < 1 and "logged out" in error, (seconds, error)
    sessions["two"].query("select 1")
    assert sessions["two"].message()[0] == b"T"
    done = psql(shop.dsn("company|carol", carol), "select 1")
    assert done.returncode == 2 and "logged out" in done.stderr
    # What the agent got from it ends as well.
    assert shop.admin.api("GET", "/api/v1/whoami", delegated)[0] == 401
    assert shop.log_out(sub="carol")[0] == 200
    seconds, _ = sessions["two"].until_closed()
    # The second ran a statement; it is closed all the same.
    assert seconds < 1
    time.sleep(1.1)
    assert psql(shop.dsn("company|carol", shop.company_user()), "select 1").returncode == 0


@pytest.mark.parametrize("claims, header", [
    ({"sub": "carol", "nonce": "n"}, {}),
    ({"sub": "carol", "events": {}}, {}),
    ({"sub": "carol", "events": None}, {}),
    ({"sub": "carol", "aud": "another"}, {}),
    ({"sub": "carol", "jti": None}, {}),
    ({"sub": "carol", "exp": 1}, {}),
    ({"sub": "carol", "iat": None}, {}),
    ({"sub": "carol"}, {"typ": "JWT"}),
    ({"sub": "carol"}, {"alg": "none"}),
    ({"sub": "carol"}, {"kid": "nobody"}),
    ({"sub": "carol", "iss": "http://127.0.0.1:1"}, {}),
    ({}, {}),
])
def test_bad_logout_tokens_end_nothing(shop_once, claims, header):
    session = Raw(shop_once, "company|carol", shop_once.company_user())
    status, refused = shop_once.log_out(header, **claims)
    assert (status, refused["error"]) == (400, "invalid_request")
    session.query("select 1")
    assert session.message()[0] == b"T"


@pytest.fixture(scope="module")
def shop_once(tmp_path_factory):
    issuer = LocalIssuer()
    one = Shop(tmp_path_factory.mktemp("shop"), issuer)
    yield one
    one.demo.stop()
    issuer.close()


def test_a_logout_token_works_once(shop_once):
    token = shop_once.issuer.token(
        {"sub": "dave", "aud": "gateway",
         "events": {"http://schemas.openid.net/event/backchannel-logout": {}}},
        {"typ": "logout+jwt"})
    statuses = [shop_once.admin.form("/oauth2/backchannel_logout", {"logout_token": token})[0]
                for _ in range(2)]
    assert statuses == [200, 400]
