"""A gateway as operators run it: `sallyport serve` in front of a PostgreSQL that logs every statement.

conftest's demo brings its own PostgreSQL, which goes when the demo does; here the target outlives the
gateway, so the gateway can be killed, starved and started again while the target remembers what it was
told.
"""

import base64
import csv
import json
import pathlib
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

from conftest import BINARY, reactor_options
from own_postgres import MAJOR, OwnPostgres, free_port

CONFIG = """\
data: ./data
log: {{level: info, format: text}}
shutdown_grace_s: 2
listeners:
  postgres: {{port: {postgres}}}
  admin: {{port: {admin}, public_url: "http://127.0.0.1:{admin}"}}
builtin_issuer:
  token_ttl_s: 86400
  users:
    owner: {{groups: [dba], password: "file:loader.secret"}}
  agents:
    loader: {{name: Loader, owner: owner, secret: "file:loader.secret"}}
connections:
  target:
    host: 127.0.0.1
    port: {target}
    database: postgres
    tls: {{mode: disable}}
    credential: {{user: postgres, password: "file:target.secret"}}
policies: ./policies
{more}"""


class Target(OwnPostgres):
    """A PostgreSQL of its own with log_statement=all."""

    def __init__(self):
        super().__init__(["logging_collector=on",
                          f"log_destination='{'jsonlog' if MAJOR >= 15 else 'csvlog'}'",
                          "log_directory='..'", "log_filename='postgres'", "log_rotation_size=0",
                          "log_rotation_age=0", "log_statement='all'"], superuser="postgres")
        self.statement_log = self.folder / ("postgres.json" if MAJOR >= 15 else "postgres.csv")

    def entries(self):
        """(message, detail, application_name) of every line; the last may be half written."""
        if MAJOR >= 15:
            for line in self.statement_log.read_text(errors="replace").splitlines():
                try:
                    entry = json.loads(line)
                except ValueError:
                    continue
                yield tuple(entry.get(key, "") for key in ("message", "detail", "application_name"))
            return
        with open(self.statement_log, errors="replace", newline="") as log:
            for fields in csv.reader(log):
                if len(fields) > 22:
                    yield fields[13], fields[14], fields[22]

    def statements(self):
        """Every statement it was told, as text with its parameters behind it."""
        told = []
        for message, detail, application in self.entries():
            found = re.match(r"(?:statement|execute [^:]*): (.*)", message, re.DOTALL)
            if found and application.startswith("sallyport"):
                told.append(found[1] + " " + detail)
        return told


class Gateway:
    """Everybody may do everything; who asks is the agent `loader`."""

    def __init__(self, folder, target, more=""):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self.config = self.folder / "sallyport.yaml"
        self.ports = {"postgres": free_port(), "admin": free_port()}
        self.process = None
        self._tickets = {}
        (self.folder / "policies").mkdir(parents=True)
        (self.folder / "policies/all.cedar").write_text(
            '@id("all") permit (principal, action, resource);\n')
        (self.folder / "loader.secret").write_text("loader-secret\n")
        (self.folder / "target.secret").write_text("unused\n")
        self.config.write_text(CONFIG.format(**self.ports, target=target.port, more=more))
        self.log = self.folder / "gateway.log"

    def start(self, seconds=60):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([BINARY, "serve", "--config", self.config, *reactor_options()],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + seconds
        while self.get("/readyz")[0] != 200:
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("the gateway did not start:\n" + self.output()[-3000:])
            time.sleep(0.02)
        return self

    def output(self):
        return self.log.read_text(errors="replace")

    def get(self, path):
        """Status and body; (0, reason) if nobody answers."""
        url = f"http://127.0.0.1:{self.ports['admin']}{path}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()
        except OSError as problem:
            return 0, str(problem)

    def metric(self, series):
        found = re.search(rf"^{re.escape(series)} (\S+)$", self.get("/metrics")[1], re.MULTILINE)
        return float(found[1]) if found else None

    def post(self, path, body, headers):
        request = urllib.request.Request(f"http://127.0.0.1:{self.ports['admin']}{path}",
                                         data=body.encode(), headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def ticket(self, connection="target"):
        """A password for psql; a new one when the old one is about to end."""
        ticket, minted_at = self._tickets.get(connection, ("", 0.0))
        if not ticket or time.monotonic() - minted_at > 600:
            secret = base64.b64encode(b"loader:loader-secret").decode()
            token = self.post("/oauth2/token", "grant_type=client_credentials",
                              {"Authorization": f"Basic {secret}",
                               "Content-Type": "application/x-www-form-urlencoded"})
            minted = self.post("/api/v1/tickets", json.dumps({"connection": connection}),
                               {"Authorization": f"Bearer {token['access_token']}",
                                "Content-Type": "application/json"})
            ticket, self.user = minted["ticket"], minted["user"]
            self._tickets[connection] = (ticket, time.monotonic())
        return ticket

    def dsn(self, connection="target"):
        password = self.ticket(connection)
        return (f"host=127.0.0.1 port={self.ports['postgres']} dbname={connection} "
                f"user={self.user} password={password} sslmode=disable connect_timeout=30")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.returncode if self.process is not None else None

    def sallyport(self, *arguments):
        return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=300,
                              check=False)

    def verify(self):
        done = self.sallyport("ledger", "verify", "--data", self.data)
        assert done.returncode == 0, done.stdout + done.stderr

    def records(self, *options):
        done = self.sallyport("ledger", "export", "--data", self.data, *options)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]
