"""Published clients and tools for a chain with masked columns: they work, and what they see is what they would see
straight from a table that holds the masked values. What the catalog says to them is what it says without masks."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from masked import MaskLab  # noqa: E402

CLIENTS = pathlib.Path(os.environ.get("SALLYPORT_CLIENTS", HERE.parents[1] / "build/interop"))
PYTHON = CLIENTS / "python/bin/python"
JDBC = sorted(CLIENTS.glob("jdbc/*.jar"))
PROGRAMS = HERE / "masked"
COMMANDS = {
    "asyncpg": [PYTHON, PROGRAMS / "asyncpg_client.py"],
    "sqlalchemy": [PYTHON, PROGRAMS / "sqlalchemy_client.py"],
    "psycopg": [PYTHON, PROGRAMS / "psycopg_client.py"],
    "pgcli": [PYTHON, PROGRAMS / "pgcli_client.py"],
    "node-postgres": ["node", PROGRAMS / "node_client.mjs"],
    "jdbc": ["java", "-cp", ":".join(map(str, JDBC)), PROGRAMS / "JdbcClient.java"],
    "pgx": [CLIENTS / "pgx-masked-client"],
}
CANARIES = ["ada.canary", "4242424242424242", "71234", "1815-12-10", "bob.canary", "5555555555554444",
            "52345", "1990-06-15"]

TABLES = """
create schema {0};
create table {0}.people (id int primary key, email text, card text, salary numeric, born date,
  at timestamptz default '2026-01-01 00:00:00+00', level public.level default 'low', tags text[] default '{{a,b}}');
comment on table {0}.people is 'who';
comment on column {0}.people.email is 'where to write to';
create index people_by_email on {0}.people (email);
create table {0}.orders (id serial primary key, person int references {0}.people, total numeric check (total > 0));
create view {0}.mails as select id, email from {0}.people;
create function {0}.double(x int) returns int language sql immutable as 'select 2 * x';
"""
ROWS = """
insert into lab_clear.people (id, email, card, salary, born) values
  (1, 'ada.canary@example.com', '4242424242424242', 71234.56, '1815-12-10'),
  (2, 'bob.canary@example.org', '5555555555554444', 52345.67, '1990-06-15'), (3, null, null, null, null);
insert into lab_clear.orders (person, total) values (1, 10), (1, 20), (2, 30);
"""
PROTECTION = """
classification:
  "*.lab_clear.people.email": pii.email
  "*.lab_clear.people.card": pci.card
  "*.lab_clear.people.salary": hr
  "*.lab_clear.people.born": pii.born
masks:
  hr: round
  pii.born: year
"""


@pytest.fixture(scope="module")
def lab():
    running = MaskLab("create type public.level as enum ('low', 'high');" + TABLES.format("lab_clear") + ROWS + TABLES.format("lab_masks"), PROTECTION)
    # The copy holds what the masks make of the values.
    with running.connect("reader") as reader, running.direct() as owner:
        rows = reader.execute("select id, email, card, salary, born from lab_clear.people order by id").fetchall()
        assert rows[0][1] != "ada.canary@example.com" and rows[0][1] is not None
        owner.cursor().executemany(
            "insert into lab_masks.people (id, email, card, salary, born) values (%s, %s, %s, %s, %s)", rows)
        owner.execute("insert into lab_masks.orders (person, total) select person, total from lab_clear.orders "
                      "order by id")
    with running.target.connect() as admin:
        admin.execute("analyze")
    yield running
    running.remove()


def run(command, where):
    if command[0] == "java":
        arguments = [where[key] for key in ("host", "port", "user", "password", "database", "schema")]
    else:
        arguments = [json.dumps(where)]
    done = subprocess.run([*map(str, command), *map(str, arguments)], capture_output=True, text=True,
                          timeout=180, check=False,
                          env={**os.environ, "MODULES": str(CLIENTS / "node")})
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.mark.parametrize("client", COMMANDS)
def test_a_client_sees_masked_values_as_if_they_were_there(lab, client):
    straight = run(COMMANDS[client], {"host": "127.0.0.1", "port": lab.target.port, "user": "gateway",
                                      "password": "", "database": "lab", "schema": "lab_masks"})
    user, password = lab.ticket("reader")
    through = run(COMMANDS[client], {"host": "127.0.0.1", "port": lab.ports["postgres"], "user": user,
                                     "password": password, "database": "lab", "schema": "lab_clear"})
    assert len(straight) >= 5
    text = json.dumps(through)
    for canary in CANARIES:
        assert canary not in text and canary.encode().hex() not in text
    assert set(through) == set(straight)
    different = {key: (through[key], straight[key]) for key in straight if through[key] != straight[key]}
    assert not different, json.dumps(different, indent=1)
