"""What is measured: PostgreSQL itself, the fake server, and everything that can stand in front of
them. Each is a process of ours on a free port, with its files in the run's folder."""

import base64
import hashlib
import html
import http.cookiejar
import json
import os
import pathlib
import pwd
import re
import secrets
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

from machine import process_tree

ROOT = pathlib.Path(__file__).resolve().parent.parent
PG_BIN = pathlib.Path("/usr/lib/postgresql/15/bin")
CONNECTIONS_MAX = 600
USER = "alice"  # in the shipped policies she may read the orders

CLASSIFICATION = """    classification:
      public.customers.email: pii.email
      public.credentials.secret: secret
"""
PERMIT_PEOPLE = """@id("people") permit (principal, action == Action::"sql:select", resource)
when { resource in Table::"shop/shop/public/people" };
"""
PERMIT_ALL = '@id("all") permit (principal, action, resource);\n'


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def await_port(port, process, name, log):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError(f"{name} did not start:\n{log.read_text(errors='replace')[-2000:]}")


def unprivileged():
    """PostgreSQL and PgBouncer refuse to run as root."""
    if os.getuid() != 0:
        return {}
    account = pwd.getpwnam("postgres")
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


class Target:
    """A running process. `name` is the row of the table, `backend` what it leads to."""

    def __init__(self, name, backend, folder, command, port, tls=False, **popen):
        self.name, self.backend, self.port, self.tls = name, backend, port, tls
        self.password = ""
        self.folder = pathlib.Path(folder)
        self.log = self.folder / "log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT, **popen)
        try:
            await_port(port, self.process, name, self.log)
        except RuntimeError:
            self.stop()
            raise

    def pids(self):
        return process_tree([self.process.pid])

    def environment(self):
        """For libpq: where it is and how to log in."""
        return {**os.environ, "PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": USER,
                "PGDATABASE": "shop", "PGPASSWORD": self.password, "PGCONNECT_TIMEOUT": "20",
                "PGSSLMODE": "require" if self.tls else "disable", "PGGSSENCMODE": "disable"}

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def make_folder(parent, name):
    folder = pathlib.Path(parent) / re.sub(r"[^a-z0-9]+", "-", name)
    folder.mkdir()
    if os.getuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    return folder


def make_certificate(folder):
    """(certificate, key) of 127.0.0.1, that PostgreSQL's user can read too."""
    certificate, key = folder / "server.pem", folder / "server.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out",
                    str(certificate)], check=True, capture_output=True)
    for path in (certificate, key):
        path.chmod(0o600)
        if os.getuid() == 0:
            shutil.chown(path, "postgres", "postgres")
    return certificate, key


# ---- What proxies lead to ------------------------------------------------------------------------

SCHEMA = """
create table orders (id integer primary key, total numeric(10,2) not null);
insert into orders select i, i * 1.37 from generate_series(1, 1000) i;
create table customers (id integer primary key, name text, note text, email text);
insert into customers select i, 'customer ' || i, repeat(md5(i::text), 2), 'someone' || i || '@example.com'
  from generate_series(1, {rows}) i;
create table texts (one_in_100 text, nothing text);
insert into texts select case when i % 100 = 0 then 'please write to someone' || i || '@example.com and ask for it'
  else repeat('one word after the other ', 4) end, repeat('nothing to be found in here ', 4)
  from generate_series(1, 100000) i;
create table people (like customers including all);
insert into people select * from customers where id <= 1000;
vacuum (analyze, freeze);
"""


def start_postgres(parent, certificate, big_rows):
    folder = make_folder(parent, "postgres")
    data = folder / "data"
    subprocess.run([PG_BIN / "initdb", "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8",
                    "--no-locale", "-N"], check=True, capture_output=True, cwd=folder,
                   **unprivileged())
    port = free_port()
    options = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "",
               "max_connections": CONNECTIONS_MAX, "shared_buffers": "256MB", "fsync": "off",
               "ssl": "on", "ssl_cert_file": certificate[0], "ssl_key_file": certificate[1],
               "autovacuum": "off"}
    command = [PG_BIN / "postgres", "-D", data]
    for name, value in options.items():
        command += ["-c", f"{name}={value}"]
    target = Target("direct", "postgres", folder, command, port, cwd=folder, **unprivileged())
    run = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(port),
           "-U", "bench"]
    try:
        for _ in range(100):  # it listens a moment before it lets anybody in
            if subprocess.run([*run, "-d", "postgres", "-c", "create database shop"],
                              capture_output=True).returncode == 0:
                break
            time.sleep(0.1)
        for statement in (f"create role {USER} superuser login",
                          *SCHEMA.format(rows=big_rows).split(";")):
            if statement.strip():
                subprocess.run([*run, "-d", "shop", "-c", statement], check=True)
    except BaseException:
        target.stop()
        raise
    return target


def start_fake(parent):
    folder = make_folder(parent, "fake")
    program = folder / "fake_postgres"
    subprocess.run(["clang++-19", "-std=c++23", "-O2", "-o", str(program),
                    str(ROOT / "bench/fake_postgres.cc")], check=True)
    port = free_port()
    return Target("direct", "fake", folder, [program, str(port)], port)


# ---- Proxies -------------------------------------------------------------------------------------


def start_pgbouncer(parent, backend, certificate=None):
    name = "PgBouncer" + (" TLS" if certificate else "")
    folder = make_folder(parent, f"pgbouncer-{backend.backend}-{'tls' if certificate else 'plain'}")
    port = free_port()
    users = folder / "users.txt"
    users.write_text(f'"{USER}" ""\n')
    tls = (f"client_tls_sslmode = require\nclient_tls_cert_file = {certificate[0]}\n"
           f"client_tls_key_file = {certificate[1]}\n") if certificate else ""
    config = folder / "pgbouncer.ini"
    config.write_text(f"""[databases]
shop = host=127.0.0.1 port={backend.port} dbname=shop
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = session
max_client_conn = {2 * CONNECTIONS_MAX}
default_pool_size = {CONNECTIONS_MAX}
log_connections = 0
log_disconnections = 0
ignore_startup_parameters = extra_float_digits
{tls}""")
    return Target(name, backend.backend, folder, ["pgbouncer", str(config)], port,
                  tls=certificate is not None, cwd=folder, **unprivileged())


def start_haproxy(parent, backend):
    folder = make_folder(parent, f"haproxy-{backend.backend}")
    port = free_port()
    config = folder / "haproxy.cfg"
    config.write_text(f"""global
  nbthread 1
  maxconn {2 * CONNECTIONS_MAX}
defaults
  mode tcp
  timeout connect 10s
  timeout client 1h
  timeout server 1h
frontend in
  bind 127.0.0.1:{port}
  default_backend out
backend out
  server one 127.0.0.1:{backend.port}
""")
    return Target("HAProxy TCP", backend.backend, folder, ["haproxy", "-db", "-f", str(config)],
                  port, cwd=folder)


class Sallyport:
    """How a gateway is to run: what it decides by, how it records, on which reactor."""

    def __init__(self, name, policies, reads, reactor=None, tls=False, detect="off"):
        self.name, self.policies, self.reads = name, policies, reads
        self.reactor, self.tls, self.detect = reactor, tls, detect

    def start(self, parent, backend, binary, certificate):
        folder = make_folder(parent, f"{self.name}-{backend.backend}".lower())
        policies = folder / "policies"
        if self.policies == "shipped":
            policies.mkdir()
            for file in (ROOT / "policies").glob("*.cedar"):
                shutil.copy(file, policies)
            (policies / "bench.cedar").write_text(PERMIT_PEOPLE)
        else:
            policies.mkdir()
            (policies / "all.cedar").write_text(PERMIT_ALL)
        password = secrets.token_hex(16)
        port, admin = free_port(), free_port()
        tls = (f"\n    tls: {{certificate: {certificate[0]}, key: {certificate[1]}}}"
               if self.tls else "")
        # To mask, the gateway reads what a database defines: the fake server has nothing to read.
        masks = CLASSIFICATION if backend.backend == "postgres" else ""
        config = folder / "sallyport.yaml"
        config.write_text(f"""data: data
workers: 1
log: {{level: warn}}
shutdown_grace_s: 1
ledger: {{reads: {self.reads}}}
listeners:
  postgres:
    port: {port}{tls}
  admin:
    port: {admin}
builtin_issuer:
  users:
    {USER}: {{name: Alice, email: alice@example.com, groups: [support], password: "{password}"}}
connections:
  shop:
    host: 127.0.0.1
    port: {backend.port}
    database: shop
    tls: {{mode: disable}}
    credential: {{user: {USER}, password: unused}}
    env: production
    detect: {self.detect}
{masks}policies: policies
""")
        config.chmod(0o600)
        command = [str(binary), "serve", "--config", str(config)]
        if self.reactor:
            command += ["--reactor", self.reactor]
        target = Target(self.name, backend.backend, folder, command, port, tls=self.tls)
        try:
            await_port(admin, target.process, self.name, target.log)
            url = f"http://127.0.0.1:{admin}"
            token = log_in(url, USER, password)
            answer = post(url + "/api/v1/tickets", json.dumps({"connection": "shop"}).encode(),
                          {"Authorization": "Bearer " + token, "Content-Type": "application/json"})
            target.password = json.loads(answer)["ticket"]
        except BaseException:
            target.stop()
            raise
        return target


class KeepRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def post(url, body, headers):
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=20) as answer:
        return answer.read()


def log_in(url, user, password):
    """An access token, the way `sallyport login` gets it, with the login page filled in."""
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
    redirect = "http://127.0.0.1:1/callback"
    asked = {"response_type": "code", "client_id": "sallyport-cli", "redirect_uri": redirect,
             "state": "bench", "code_challenge": challenge.decode(),
             "code_challenge_method": "S256", "scope": "openid"}
    opener = urllib.request.build_opener(
        KeepRedirect, urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    where = url + "/oauth2/authorize"
    page = opener.open(where + "?" + urllib.parse.urlencode(asked), timeout=20).read().decode()
    form = {name: html.unescape(value) for name, value in
            re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page)}
    form.update(username=user, password=password)
    try:
        opener.open(where, urllib.parse.urlencode(form).encode(), timeout=20)
        raise RuntimeError("the login page did not lead back")
    except urllib.error.HTTPError as answer:
        if answer.code not in (302, 303):
            raise
        code = urllib.parse.parse_qs(urllib.parse.urlparse(answer.headers["Location"]).query)["code"]
    token = post(url + "/oauth2/token", urllib.parse.urlencode({
        "grant_type": "authorization_code", "code": code[0], "redirect_uri": redirect,
        "client_id": "sallyport-cli", "code_verifier": verifier}).encode(), {})
    return json.loads(token)["access_token"]
