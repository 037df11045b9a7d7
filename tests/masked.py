"""A gateway in front of a PostgreSQL with classified columns, for chains that may reveal nothing
(`reader`), everything (`admin`), or what is not a secret (`clerk`)."""

import base64
import json
import pathlib
import shutil
import subprocess
import tempfile
import time
import urllib.request

import psycopg

from conftest import BINARY, reactor_options
from own_postgres import OwnPostgres, free_port

CONFIG = """\
data: ./data
log: {{level: debug, format: text}}
shutdown_grace_s: 2
listeners:
  postgres: {{port: {postgres}}}
  admin: {{port: {admin}, public_url: "http://127.0.0.1:{admin}"}}
builtin_issuer:
  token_ttl_s: 86400
  users:
    owner: {{groups: [owners], password: "file:agent.secret"}}
  agents:
    reader: {{name: Reader, owner: owner, groups: [readers], secret: "file:agent.secret"}}
    clerk: {{name: Clerk, owner: owner, groups: [clerks], secret: "file:agent.secret"}}
    admin: {{name: Admin, owner: owner, groups: [admins], secret: "file:agent.secret"}}
connections:
  lab:
    host: 127.0.0.1
    port: {target}
    database: lab
    databases_more: x
    tls: {{mode: disable}}
    credential: {{user: gateway, password: "file:target.secret"}}
{protection}
policies: ./policies
""".replace("    databases_more: x\n", "")

POLICIES = """\
@id("all-but-safeguards") permit (principal, action, resource)
unless { action in Action::"safeguard" };
@id("admins-see") permit (principal in Group::"admins", action in Action::"safeguard", resource);
@id("clerks-see") permit (principal in Group::"clerks", action == Action::"reveal", resource)
unless { resource in Classification::"secret" };
"""


class MaskLab:
    """`sql` is run in a database of its own, by its owner `gateway`, who is no superuser."""

    def __init__(self, sql, protection, settings=(), policies=POLICIES, superuser_sql=""):
        self.target = OwnPostgres(settings)
        with self.target.connect("postgres") as admin:
            admin.execute("create role gateway login")
            admin.execute("create database lab owner gateway")
        if superuser_sql:
            with self.target.connect() as admin:
                admin.execute(superuser_sql)
        with self.direct() as owner:
            owner.execute(sql)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-masks-"))
        self.ports = {"postgres": free_port(), "admin": free_port()}
        (self.folder / "policies").mkdir()
        (self.folder / "policies/all.cedar").write_text(policies)
        (self.folder / "agent.secret").write_text("agent-secret\n")
        (self.folder / "target.secret").write_text("unused\n")
        self.config = self.folder / "sallyport.yaml"
        self.write_config(protection)
        self.log = self.folder / "gateway.log"
        self.process = None
        self.tickets = {}
        try:
            self.start()
        except Exception:
            self.remove()
            raise

    def write_config(self, protection):
        indented = "".join("    " + line + "\n" for line in protection.strip("\n").splitlines())
        self.config.write_text(CONFIG.format(**self.ports, target=self.target.port,
                                             protection=indented))

    def direct(self, database="lab", **options):
        """Past the gateway, as the login that the gateway has."""
        return psycopg.connect(host="127.0.0.1", port=self.target.port, user="gateway",
                               dbname=database, autocommit=True, **options)

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([BINARY, "serve", "--config", self.config,
                                             *reactor_options()],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['admin']}/readyz",
                                            timeout=10):
                    return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError("the gateway did not start:\n" + self.output()[-3000:])
                time.sleep(0.05)

    def output(self):
        return self.log.read_text(errors="replace")

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['admin']}/metrics") as answer:
            return answer.read().decode()

    def post(self, path, body, headers):
        request = urllib.request.Request(f"http://127.0.0.1:{self.ports['admin']}{path}",
                                         data=body.encode(), headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def ticket(self, who):
        kept = self.tickets.get(who)
        if kept is None or time.monotonic() - kept[2] > 600:
            secret = base64.b64encode(f"{who}:agent-secret".encode()).decode()
            token = self.post("/oauth2/token", "grant_type=client_credentials",
                              {"Authorization": f"Basic {secret}",
                               "Content-Type": "application/x-www-form-urlencoded"})
            minted = self.post("/api/v1/tickets", '{"connection": "lab"}',
                               {"Authorization": f"Bearer {token['access_token']}",
                                "Content-Type": "application/json"})
            kept = self.tickets[who] = (minted["user"], minted["ticket"], time.monotonic())
        return kept[0], kept[1]

    def dsn(self, who, port=None):
        user, password = self.ticket(who)
        return (f"host=127.0.0.1 port={port or self.ports['postgres']} dbname=lab user={user} "
                f"password={password} sslmode=disable connect_timeout=30")

    def connect(self, who, **options):
        return psycopg.connect(self.dsn(who), **{"autocommit": True, **options})

    def psql(self, who, *commands, arguments=()):
        line = ["psql", "-X", "-A", "-t", "-v", "VERBOSITY=verbose", *arguments, self.dsn(who)]
        for command in commands:
            line += ["-c", command]
        return subprocess.run(line, capture_output=True, text=True, timeout=120)

    def records(self, *options):
        done = subprocess.run([BINARY, "ledger", "export", "--data", self.folder / "data", *options],
                              capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def remove(self):
        self.stop()
        self.target.remove()
        shutil.rmtree(self.folder, ignore_errors=True)
