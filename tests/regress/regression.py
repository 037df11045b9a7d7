"""PostgreSQL's own regression suite, straight and through the gateway: what psql prints is the same.

Everybody may do everything and nothing is classified, so the gateway has to be a faithful server. Each run
has a server of its own, made alike. What may differ is listed below, file by file, with the reason.
`SALLYPORT_REGRESS_KEEP=FOLDER` keeps both runs' results.
"""

import difflib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from own_postgres import BIN, OwnPostgres  # noqa: E402
from serving import Gateway  # noqa: E402

SUITE = pathlib.Path(os.environ.get("SALLYPORT_REGRESS", HERE.parents[1] / "build/regress"))
PG_REGRESS = BIN.parent / "lib/pgxs/src/test/regress/pg_regress"
DATABASE = "regression"
CONNECTIONS = os.environ.get("SALLYPORT_REGRESS_CONNECTIONS", "20")

# What may differ: the reason, and in at most how many lines. Nothing else may, in any file.
PINNED = "standard_conforming_strings stays on, so that server and gateway read the same text"
GRAMMAR = "the gateway's parser is that of PostgreSQL 18, where this error has a position or another text"
NO_HINT = "a syntax error is the gateway's parser's, which tells no HINT and no DETAIL"
DIFFERENT = {
    "create_schema": ("search_path begins without $user, which would be the gateway's own login", 2),
    "create_table": (GRAMMAR, 2),
    "errors": (NO_HINT, 2),
    "foreign_key": (GRAMMAR, 4),
    "limit": (GRAMMAR, 4),
    "plpgsql": (PINNED, 26),
    "publication": (NO_HINT, 2),
    "rowsecurity": (NO_HINT, 1),
    "stats": ("a session may get a warm connection, which the server counts as no new session", 2),
    "strings": (PINNED + "; " + NO_HINT, 94),
}


class Server(OwnPostgres):
    """As pg_regress makes its own, and with the database as it makes that."""

    def __init__(self):
        super().__init__(["max_prepared_transactions=2", "shared_buffers='128MB'"],
                         superuser="postgres")
        with self.connect("postgres") as admin:
            admin.execute(f"create database {DATABASE} template template0")
            for name in ("lc_messages", "lc_monetary", "lc_numeric", "lc_time"):
                admin.execute(f"alter database {DATABASE} set {name} to 'C'")
            admin.execute(f"alter database {DATABASE} set bytea_output to 'hex'")
            admin.execute(
                f"alter database {DATABASE} set timezone_abbreviations to 'Default'")


class RegressionGateway(Gateway):
    def __init__(self, folder, target):
        super().__init__(folder, target)
        text = self.config.read_text()
        mine = text.replace("  target:\n", f"  {DATABASE}:\n").replace(
            "database: postgres", f"database: {DATABASE}")
        assert mine != text
        self.config.write_text(mine)


def run_suite(folder, port, environment):
    """The folder with one .out per file."""
    output = folder / "output"
    for one in (output, output / "results", output / "sql", output / "expected"):
        one.mkdir()
        one.chmod(0o777)  # the server writes there too, as another user
    schedule = os.environ.get("SALLYPORT_REGRESS_SCHEDULE", SUITE / "suite/parallel_schedule")
    with open(folder / "pg_regress.log", "wb") as log:
        subprocess.run(
            [PG_REGRESS, "--use-existing", f"--dbname={DATABASE}", "--host=127.0.0.1",
             f"--port={port}", f"--inputdir={SUITE / 'suite'}", f"--outputdir={output}",
             f"--bindir={BIN}", f"--dlpath={SUITE / 'library'}", f"--schedule={schedule}",
             f"--max-concurrent-tests={CONNECTIONS}"],
            stdout=log, stderr=log, timeout=3000, check=False, cwd=folder,
            env={**os.environ, **environment})
    return output / "results"


@pytest.fixture(scope="module")
def results():
    """{"straight": folder, "through": folder}"""
    kept = os.environ.get("SALLYPORT_REGRESS_KEEP")
    base = pathlib.Path(kept or tempfile.mkdtemp(prefix="sallyport-regress-"))
    base.mkdir(exist_ok=True)
    base.chmod(0o755)
    found = {}
    for which in ("straight", "through"):
        folder = base / which
        if kept and which == "straight" and (folder / "output/results").exists():
            found[which] = folder / "output/results"
            continue
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        server = Server()
        try:
            if which == "straight":
                found[which] = run_suite(folder, server.port, {"PGUSER": "postgres"})
            else:
                found[which] = run_through_gateway(folder, server)
        finally:
            server.remove()
    yield found
    if not kept:
        shutil.rmtree(base, ignore_errors=True)


def run_through_gateway(folder, server):
    gateway = RegressionGateway(folder / "gateway", server).start()
    passwords = folder / "pgpass"

    def renew():
        with open(passwords, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(f"*:*:*:*:{gateway.ticket(DATABASE)}\n")

    renew()
    done = threading.Event()

    def keep_renewing():  # a ticket starts sessions for 15 minutes
        while not done.wait(60):
            renew()

    renewing = threading.Thread(target=keep_renewing)
    renewing.start()
    try:
        return run_suite(folder, gateway.ports["postgres"],
                         {"PGUSER": gateway.user, "PGPASSFILE": str(passwords),
                          "PGSSLMODE": "disable"})
    finally:
        done.set()
        renewing.join()
        gateway.stop()


def files():
    names = []
    for line in (SUITE / "suite/parallel_schedule").read_text().splitlines():
        if line.startswith("test:"):
            names += line.removeprefix("test:").split()
    return names


@pytest.mark.parametrize("name", files())
def test_the_same_is_printed(results, name):
    straight = (results["straight"] / f"{name}.out").read_text(errors="surrogateescape")
    through = (results["through"] / f"{name}.out").read_text(errors="surrogateescape")
    different = list(difflib.unified_diff(straight.splitlines(), through.splitlines(), "straight",
                                          "through", lineterm="", n=1))
    changed = sum(line[0] in "+-" for line in different[2:])
    assert changed <= DIFFERENT.get(name, ("", 0))[1], "\n".join(different)[:6000]


def test_the_suite_ran(results):
    """Most of it succeeds by the suite's own measure too, both ways."""
    for which, folder in results.items():
        log = (folder.parent.parent / "pg_regress.log").read_text()
        assert log.count("... ok") > 190, which + ": " + log[-2000:]
