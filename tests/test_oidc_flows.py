"""A certified third-party provider (npm oidc-provider) as the only issuer: logging in with code + PKCE and
on a device, exchanging tokens at it and at the gateway, logging out, and tokens that a forger minted with
npm jose."""

import http.cookiejar
import json
import os
import pathlib
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
from agents import ACCESS, EXCHANGE, Admin, psql
from conftest import BINARY, ROOT
from own_postgres import OwnPostgres, free_port

AUDIENCE = "https://gateway.example.com"
CONFIG = """\
data: ./data
log: {{level: info, format: text}}
shutdown_grace_s: 1
listeners:
  postgres: {{port: {postgres}}}
  admin: {{port: {admin}, public_url: "http://127.0.0.1:{admin}"}}
issuers:
  - issuer: {issuer}
    audience: {audience}
    agents:
      support-copilot: {{name: Copilot, owner: alice, attested: true}}
connections:
  shop:
    host: 127.0.0.1
    port: {target}
    database: postgres
    tls: {{mode: disable}}
    credential: {{user: postgres, password: "file:target.secret"}}
policies: ./policies
"""
FETCHES = r'sallyport_issuer_key_fetches_total\{[^}]*result="ok"\} (\d+)'
POLICIES = """\
@id("support") permit (principal in Group::"support", action, resource);
@id("copilot") permit (principal == Agent::"support-copilot", action, resource)
when { context.delegation.present };
"""


def start_provider(folder, gateway_url):
    for name in ("package.json", "package-lock.json", "server.mjs"):
        shutil.copy(ROOT / "tests/oidc" / name, folder)
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=folder, check=True,
                   timeout=300)
    server = subprocess.Popen(
        ["node", "server.mjs", "--audience", AUDIENCE, "--gateway", gateway_url], cwd=folder,
        stdout=subprocess.PIPE, stderr=open(folder / "provider.log", "wb"), text=True)
    return server, json.loads(server.stdout.readline())["issuer"]


class Gateway:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.ports = {"postgres": free_port(), "admin": free_port()}
        self.url = f"http://127.0.0.1:{self.ports['admin']}"
        self.admin = Admin(self.url)
        provider = self.folder / "provider"
        provider.mkdir()
        self.provider, self.issuer = start_provider(provider, self.url)
        self.op = Admin(self.issuer)
        self.target = OwnPostgres(superuser="postgres")
        (self.folder / "policies").mkdir()
        (self.folder / "policies/all.cedar").write_text(POLICIES)
        (self.folder / "target.secret").write_text("unused\n")
        (self.folder / "sallyport.yaml").write_text(CONFIG.format(
            **self.ports, issuer=self.issuer, audience=AUDIENCE, target=self.target.port))
        with open(self.folder / "gateway.log", "wb") as log:
            self.process = subprocess.Popen(
                [BINARY, "serve", "--config", self.folder / "sallyport.yaml"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + 60
        while True:
            try:
                assert self.admin.call("GET", "/readyz")[0] == 200
                return
            except OSError:
                assert time.monotonic() < end, (self.folder / "gateway.log").read_text()
                time.sleep(0.1)

    def stop(self):
        self.process.terminate()
        self.process.wait(60)
        self.provider.terminate()
        self.provider.wait(30)
        self.target.stop()

    def mint(self, **more):
        status, token = self.op.call("POST", "/test/mint", json.dumps(more).encode())
        assert status == 200, token
        return token

    def whoami(self, token):
        return self.admin.api("GET", "/api/v1/whoami", token)

    def copilot(self, grant="client_credentials", **more):
        """A token for the agent, from the provider."""
        status, body = self.op.form("/token", {
            "grant_type": grant, "client_id": "support-copilot", "client_secret": "copilot secret",
            **more})
        assert status == 200, body
        return body["access_token"]

    def dsn(self, token):
        status, ticket = self.admin.api("POST", "/api/v1/tickets", token, {"connection": "shop"})
        assert status == 201, ticket
        return (f"host=127.0.0.1 port={self.ports['postgres']} dbname=shop user={ticket['user']} "
                f"password={ticket['ticket']} sslmode=disable")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    one = Gateway(tmp_path_factory.mktemp("oidc"))
    yield one
    one.stop()


class Browser:
    """As much of one as the provider's development pages need."""

    def __init__(self):
        self.jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        self.url = ""

    def open(self, url, fields=None):
        data = urllib.parse.urlencode(fields).encode() if fields is not None else None
        try:
            with self.opener.open(url, data, timeout=30) as answer:
                self.url, text = answer.geturl(), answer.read().decode()
        except urllib.error.HTTPError as refused:
            self.url, text = refused.geturl(), refused.read().decode()
        return text

    def submit(self, page, **fields):
        action = re.search(r'action="([^"]+)"', page)[1].replace("&amp;", "&")
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))
        return self.open(urllib.parse.urljoin(self.url, action), {**hidden, **fields})

    def log_in(self, url, name):
        page = self.submit(self.open(url), login=name, password="any")
        return self.submit(page)  # the consent


class Person:
    def __init__(self, gateway, folder):
        self.gateway = gateway
        self.browser = Browser()
        self.environment = {**os.environ, "XDG_STATE_HOME": str(folder)}
        for name in ("SALLYPORT_TOKEN", "SALLYPORT_GATEWAY", "DISPLAY", "WAYLAND_DISPLAY"):
            self.environment.pop(name, None)
        self.state = pathlib.Path(folder) / "sallyport/login.json"

    def run(self, *arguments):
        return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=60,
                              env=self.environment)

    def start(self, *arguments):
        return subprocess.Popen([BINARY, *arguments, "--gateway", self.gateway.url],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env=self.environment)

    def log_in(self, name="alice"):
        login = self.start("login", "--scope", "shop")
        url = ""
        while not url.startswith("http"):
            url = login.stderr.readline().strip()
        self.browser.log_in(url, name)
        out, error = login.communicate(timeout=60)
        assert login.returncode == 0, error
        assert f"as {name}" in out
        return json.loads(self.state.read_text())["access_token"]


def metric(gateway, series):
    return int(re.search(series, gateway.admin.call("GET", "/metrics")[1])[1])


@pytest.fixture
def person(gateway, tmp_path):
    return Person(gateway, tmp_path)


def test_code_with_pkce(gateway, person):
    token = person.log_in()
    assert json.loads(person.run("whoami", "--json").stdout)["name"] == "alice"
    done = psql(gateway.dsn(token), "select 'hello'")
    assert done.stdout.strip() == "hello", done.stderr


def test_device_grant(gateway, person):
    login = person.start("login", "--device")
    said = ""
    while "or open " not in said:
        said = login.stderr.readline()
    page = person.browser.open(said.split("or open ")[1].strip())
    page = person.browser.submit(page, confirm="yes")  # is it your device?
    page = person.browser.submit(page, login="alice", password="any")
    person.browser.submit(page)
    out, error = login.communicate(timeout=60)
    assert login.returncode == 0, error
    assert "as alice" in out


def test_exchange_at_the_gateway(gateway, person):
    token = person.log_in()
    status, body = gateway.admin.exchange(token, gateway.copilot(resource=AUDIENCE))
    assert status == 200, body
    assert gateway.whoami(body["access_token"])[1]["name"] == "alice via support-copilot"
    done = psql(gateway.dsn(body["access_token"]), "select 'both'")
    assert done.stdout.strip() == "both", done.stderr
    # bob is a developer: the copilot gets no further than he does.
    bob = gateway.mint(claims={"sub": "bob", "groups": ["developer"]})
    status, body = gateway.admin.exchange(bob, gateway.copilot(resource=AUDIENCE))
    assert status == 200, body
    status, _ = gateway.admin.api("POST", "/api/v1/tickets", body["access_token"],
                                  {"connection": "shop"})
    assert status == 404


def test_exchange_at_the_provider(gateway, person):
    """Its tokens have `act`, and the chain is the same as with ours."""
    token = gateway.copilot(EXCHANGE, subject_token=person.log_in(), subject_token_type=ACCESS)
    assert gateway.whoami(token)[1]["name"] == "alice via support-copilot"
    assert psql(gateway.dsn(token), "select 1").stdout.strip() == "1"


def test_the_discovery_documents_lead_to_both(gateway):
    resource = gateway.admin.call("GET", "/.well-known/oauth-protected-resource")[1]
    assert resource["authorization_servers"] == [gateway.issuer, gateway.url]
    ours = gateway.admin.call("GET", "/.well-known/oauth-authorization-server")[1]
    assert ours["issuer"] == gateway.url and EXCHANGE in ours["grant_types_supported"]
    assert ours["token_endpoint"] == gateway.url + "/oauth2/token"


def test_logging_out_at_the_provider_ends_the_session(gateway, person, tmp_path):
    token = person.log_in()
    other = Person(gateway, tmp_path / "other")
    kept = other.log_in()
    sessions = []
    for one in (token, kept):
        client = subprocess.Popen(["psql", "-X", "-q", "-A", "-t", gateway.dsn(one)],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True)
        client.stdin.write("select 'in';\n")
        client.stdin.flush()
        assert client.stdout.readline() == "in\n"
        sessions.append(client)
    page = person.browser.open(gateway.issuer + "/session/end")
    person.browser.submit(page, logout="yes")
    end = time.monotonic() + 5
    while gateway.whoami(token)[0] != 401:
        assert time.monotonic() < end, (gateway.folder / "provider/provider.log").read_text()
    _, error = sessions[0].communicate("select 'still in';\n", timeout=30)
    assert "logged out" in error, error
    # The same person's other login goes on: the logout token named a session.
    out, error = sessions[1].communicate("select 'still in';\n", timeout=30)
    assert "still in" in out, error
    time.sleep(1.1)  # `iat` has seconds: what is issued in the second of a logout ends with it


@pytest.mark.parametrize("more, told", [
    ({"header": {"alg": "none"}}, "signed in a way"),
    ({"header": {"alg": "HS256", "kid": "key-0"}, "with": "public"}, "signed in a way"),
    ({"header": {"alg": "HS512", "kid": "key-0"}, "with": "public"}, "signed in a way"),
    ({"header": {"alg": "RS256", "kid": "key-2"}}, "cannot be verified"),  # the kid of another kind
    ({"header": {"kid": "key-2"}, "with": "stranger"}, "cannot be verified"),
    ({"header": {"kid": None}, "with": "stranger"}, "cannot be verified"),
    ({"header": {"typ": "JWT"}}, "not an access token"),
    ({"header": {"typ": "logout+jwt"}}, "not an access token"),
    ({"claims": {"aud": "https://bank.example"}}, "another service"),
    ({"claims": {"aud": []}}, "another service"),
    ({"claims": {"iss": "https://bank.example"}}, "not trusted"),
    ({"claims": {"exp": 1}}, "expired"),
    ({"claims": {"nbf": 4102444800}}, "not valid yet"),
    ({"claims": {"iat": 4102444800}}, "not valid yet"),
    ({"claims": {"sub": ["alice"]}}, "lacks"),
    ({"claims": {"jti": None}}, "lacks"),
    ({"claims": {"client_id": "support-copilot"}}, "agent may not use"),
    ({"claims": {"act": {"sub": "stranger"}}}, "chain of actors"),
    ({"claims": {"act": {"sub": "support-copilot", "iss": "https://bank.example"}}},
     "chain of actors"),
    ({"claims": {"act": {"sub": "support-copilot", "act": {"sub": "support-copilot"}}}},
     "chain of actors"),
    ({"claims": {"act": "support-copilot"}}, "chain of actors"),
    ({"claims": {"cnf": {"x5t#S256": "AAAA"}}}, "bound to a key"),
    ({"claims": {"cnf": {"jkt": "AAAA"}}}, "bound to a key"),
])
def test_hostile_tokens(gateway, more, told):
    token = gateway.mint(**more)
    assert token.count(".") == 2, token
    status, body = gateway.whoami(token)
    assert status == 401 and told in body["detail"], body
    # Neither as the one who acts, nor as the one who is acted for.
    copilot = gateway.copilot(resource=AUDIENCE)
    if told != "agent may not use":
        assert gateway.admin.exchange(token, copilot)[1]["error"] == "invalid_request"
    assert gateway.admin.exchange(gateway.mint(), token)[1]["error"] in (
        "invalid_request", "temporarily_unavailable")


def test_a_flood_of_unknown_keys_is_no_flood_of_fetches(gateway):
    status, body = gateway.whoami(gateway.mint())
    assert status == 200, body
    before = metric(gateway, FETCHES)
    for number in range(100):
        token = gateway.mint(header={"kid": f"flood-{number}"}, **{"with": "stranger"})
        assert gateway.whoami(token)[0] == 401
    assert metric(gateway, FETCHES) - before <= 2
    assert gateway.whoami(gateway.mint())[0] == 200


def test_replay(gateway):
    """What ended stays ended, and what has been used is of no use: a token after its user logged out, and
    the token that logged them out, which would end their next login, too."""
    now = int(time.time())
    stolen = gateway.mint(claims={"sub": "bob", "iat": now - 5})
    assert gateway.whoami(stolen)[0] == 200
    logout = gateway.mint(header={"typ": "logout+jwt"}, claims={
        "sub": "bob", "aud": "sallyport-cli", "iat": now, "exp": now + 60,
        "events": {"http://schemas.openid.net/event/backchannel-logout": {}}})
    assert gateway.admin.form("/oauth2/backchannel_logout", {"logout_token": logout})[0] == 200
    for _ in range(2):
        status, body = gateway.whoami(stolen)
        assert status == 401 and "logged out" in body["detail"], body
    assert gateway.admin.exchange(stolen, gateway.copilot(resource=AUDIENCE))[0] == 400
    time.sleep(1.1)  # `iat` has seconds
    again = gateway.mint(claims={"sub": "bob"})
    assert gateway.whoami(again)[0] == 200
    status, body = gateway.admin.form("/oauth2/backchannel_logout", {"logout_token": logout})
    assert (status, body["error"]) == (400, "invalid_request")
    assert gateway.whoami(again)[0] == 200


def test_stale_keys(gateway):
    """A key that the provider took back is of no use once its keys are fetched again, which the first
    token with the new one makes the gateway do, at most every 30 seconds."""
    old = gateway.mint()
    assert gateway.whoami(old)[0] == 200
    kid = gateway.op.call("POST", "/test/rotate", b"key-2")[1]
    before = metric(gateway, FETCHES)
    end = time.monotonic() + 45
    # Each another kid, for one that was not found is not looked for again at once.
    while metric(gateway, FETCHES) == before:
        assert time.monotonic() < end
        nobodys = gateway.mint(header={"kid": f"nobodys-{time.monotonic()}"}, **{"with": "stranger"})
        assert gateway.whoami(nobodys)[0] == 401
        time.sleep(0.5)
    assert gateway.whoami(gateway.mint(header={"kid": kid}))[0] == 200
    for stale in (old, gateway.mint()):
        status, body = gateway.whoami(stale)
        assert status == 401 and "cannot be verified" in body["detail"], body
