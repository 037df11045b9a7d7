"""`kill -9` of the gateway under load, again and again, with one target and one ledger throughout.

After each restart, which nobody helps: every statement of which a client saw an answer is in the ledger,
everything that changes data and reached the target is in the ledger, and the ledger verifies.
SALLYPORT_KILLS says how often (10; `scripts/test --all` sets 100), SALLYPORT_SEED repeats a run.
"""

import os
import random
import threading
import time

import psycopg
import pytest
from serving import Gateway, Target

KILLS = int(os.environ.get("SALLYPORT_KILLS", "10"))
SEED = int(os.environ.get("SALLYPORT_SEED", random.randrange(1 << 32)))
# Segments of 256 KiB, so that many a kill meets the end of one.
SMALL_SEGMENTS = "ledger: {segment_bytes: 262144}\n"


@pytest.fixture(scope="module")
def target():
    running = Target()
    yield running
    running.remove()


@pytest.fixture
def gateway(target, tmp_path):
    running = Gateway(tmp_path / "gateway", target, SMALL_SEGMENTS)
    yield running
    running.stop()


class Load:
    """A client that goes on until its gateway dies. Each statement has a name of its own in it;
    `answered` are the names of those whose answer arrived."""

    def __init__(self, dsn, name, seed):
        self.dsn = dsn
        self.name = name
        self.dice = random.Random(seed)
        self.count = 0
        self.answered = []
        self.wrong = None
        self.thread = threading.Thread(target=self.run)

    def run(self):
        try:
            while True:
                with psycopg.connect(self.dsn, autocommit=True) as connection:
                    for _ in range(20):
                        self.dice.choice([self.simple, self.extended, self.prepared, self.read,
                                          self.transaction, self.pipeline])(connection)
        except psycopg.OperationalError:
            pass  # the gateway is gone
        except Exception as problem:  # pylint: disable=broad-except
            self.wrong = problem

    def next_name(self):
        self.count += 1
        return f"<{self.name}-{self.count}>"

    def ask(self, connection, sql, **options):
        name = self.next_name()
        connection.execute(sql, (name,), **options)
        self.answered.append(name)

    def simple(self, connection):
        name = self.next_name()
        connection.execute(f"insert into marks values ('{name}')")
        self.answered.append(name)

    def extended(self, connection):
        self.ask(connection, "insert into marks values (%s)", prepare=False)

    def prepared(self, connection):
        self.ask(connection, "insert into marks values (%s)", prepare=True)

    def read(self, connection):
        self.ask(connection, "select %s::text")

    def transaction(self, connection):
        with connection.transaction(force_rollback=self.dice.random() < 0.3):
            for _ in range(self.dice.randrange(1, 5)):
                self.extended(connection)

    def pipeline(self, connection):
        names = [self.next_name() for _ in range(self.dice.randrange(1, 10))]
        with connection.pipeline():
            cursors = [connection.execute("insert into marks values (%s)", (name,))
                       for name in names]
        self.answered += [name for cursor, name in zip(cursors, names) if cursor.rowcount == 1]


def recorded_from(gateway, first):
    """All that the commands from that sequence on say, as one text, and the next sequence."""
    said, last = [], first - 1
    for record in gateway.records("--from", str(first)):
        last = record["sequence"]
        if record["kind"] == "command":
            command = record["data"]["command"]
            said += [command["text"], *(str(one["value"]) for one in command["parameters"])]
    return "\n".join(said), last + 1


def changed_by(statements):
    return [one for one in statements if one.startswith("insert")]


def name_in(statement):
    return statement[statement.index("<"):statement.index(">") + 1]


def test_killed_under_load_it_has_recorded_all_that_anybody_saw(gateway, target):
    print(f"seed {SEED}, {KILLS} kills")
    dice = random.Random(SEED)
    gateway.start()
    with psycopg.connect(gateway.dsn(), autocommit=True) as connection:
        connection.execute("create table marks (name text)")
    sequence, told, answered_all = 1, 0, 0
    for kill in range(KILLS):
        dsn = gateway.dsn()
        loads = [Load(dsn, f"{kill}-{i}", dice.random()) for i in range(4)]
        for load in loads:
            load.thread.start()
        time.sleep(dice.uniform(0.05, 1.0))
        gateway.kill()
        for load in loads:
            load.thread.join(60)
            assert load.wrong is None, f"kill {kill}: {load.wrong!r}"
        gateway.start()
        gateway.verify()
        said, sequence = recorded_from(gateway, sequence)
        for load in loads:
            missing = [name for name in load.answered if name not in said]
            assert not missing, f"kill {kill}: answered and not in the ledger: {missing}"
            answered_all += len(load.answered)
        statements = target.statements()
        missing = [one for one in changed_by(statements[told:]) if name_in(one) not in said]
        assert not missing, f"kill {kill}: reached the target and not in the ledger: {missing}"
        told = len(statements)
    print(f"{answered_all} answers seen, {told} statements at the target")
    assert answered_all > 5 * KILLS
