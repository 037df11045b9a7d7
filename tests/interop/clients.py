"""Each client does the same things straight and through the gateway, and sees the same."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from serving import Gateway, Target  # noqa: E402

CLIENTS = pathlib.Path(os.environ.get("SALLYPORT_CLIENTS", HERE.parents[1] / "build/interop"))
PYTHON = CLIENTS / "python/bin/python"
JDBC = sorted(CLIENTS.glob("jdbc/*.jar"))
COMMANDS = {
    "asyncpg": [PYTHON, HERE / "asyncpg_client.py"],
    "sqlalchemy": [PYTHON, HERE / "sqlalchemy_client.py"],
    "psycopg": [PYTHON, HERE / "psycopg_client.py"],
    "node-postgres": ["node", HERE / "node_client.mjs"],
    "jdbc": ["java", "-cp", ":".join(map(str, JDBC)), HERE / "JdbcClient.java"],
    "pgx": [CLIENTS / "pgx-client"],
}


@pytest.fixture(scope="module")
def target():
    running = Target()
    yield running
    running.remove()


@pytest.fixture(scope="module")
def gateway(target, tmp_path_factory):
    folder = tmp_path_factory.mktemp("interop")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout",
         folder / "server.key", "-out", folder / "server.pem"], check=True, capture_output=True)
    running = Gateway(folder / "gateway", target)
    text = running.config.read_text()
    plain = f"postgres: {{port: {running.ports['postgres']}}}"
    assert plain in text
    running.config.write_text(text.replace(
        plain, plain[:-1] + f', tls: {{certificate: "{folder}/server.pem", '
        f'key: "{folder}/server.key"}}}}'))
    running.ca = folder / "server.pem"
    yield running.start()
    running.stop()


def run(command, where):
    if command[0] == "java":
        arguments = [where[key] for key in ("host", "port", "user", "password", "database", "ca")]
    else:
        arguments = [json.dumps(where)]
    done = subprocess.run([*map(str, command), *map(str, arguments)], capture_output=True, text=True,
                          timeout=180, check=False,
                          env={**os.environ, "MODULES": str(CLIENTS / "node")})
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("client", COMMANDS)
def test_a_client_sees_the_same_through_the_gateway(target, gateway, client, tls):
    straight = run(COMMANDS[client], {"host": "127.0.0.1", "port": target.port, "user": "postgres",
                                      "password": "", "database": "postgres", "ca": ""})
    through = run(COMMANDS[client], {"host": "localhost" if tls else "127.0.0.1",
                                     "port": gateway.ports["postgres"], "password": gateway.ticket(),
                                     "user": gateway.user, "database": "target",
                                     "ca": str(gateway.ca) if tls else ""})
    assert len(straight) >= 5
    assert through == straight


def test_pg_dump_and_pg_restore(target, gateway, tmp_path):
    """The dump is the same, and what is restored through the gateway dumps the same again."""
    subprocess.run(["pgbench", "-q", "-i", "-s", "1", f"host=127.0.0.1 port={target.port} "
                    "user=postgres dbname=postgres"], check=True, capture_output=True, timeout=120)

    def dump(where, *options):
        return subprocess.run(["pg_dump", "--no-comments", *options, "-d", where], check=True,
                              capture_output=True, timeout=120).stdout

    direct = f"host=127.0.0.1 port={target.port} user=postgres dbname=postgres"
    plain = [line for line in dump(direct).splitlines() if not line.startswith(b"\\")]
    assert len(plain) > 100_000
    assert [line for line in dump(gateway.dsn()).splitlines() if not line.startswith(b"\\")] == plain
    archive = tmp_path / "all.dump"
    archive.write_bytes(dump(gateway.dsn(), "-Fc"))
    done = subprocess.run(["pg_restore", "--clean", "--if-exists", "--single-transaction", "-d",
                           gateway.dsn(), archive], capture_output=True, text=True, timeout=120,
                          check=False)
    assert done.returncode == 0, done.stderr
    assert [line for line in dump(direct).splitlines() if not line.startswith(b"\\")] == plain
