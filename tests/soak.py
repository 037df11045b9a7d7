#!/usr/bin/env python3
"""A soak: clients that connect, err, cancel, hang up and die at random against a real PostgreSQL.

    tests/soak.py [--minutes 30] [--seed N] [--clients 6]      (scripts/soak builds and runs it)

In rounds of half a minute all clients run, then all are gone, and the gateway is measured at rest. It
fails unless, after the warm-up (the first fifth, at least three rounds), at rest
  - the open descriptors end where they began (2 more at most), and
  - the resident memory neither ends more than 10 % or 8 MiB above where it began (the larger; medians of
    the first and the last third), nor rises by more than that as a straight line through all rounds,
and unless the ledger verifies, no client saw anything but what it should, and the gateway stops with 0.
"""

import argparse
import os
import pathlib
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import psycopg

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from serving import Gateway, Target  # noqa: E402

ROUND_S = 30
MEBIBYTE = 1 << 20
FORBIDDEN = ('@id("closed") forbid (principal, action in Action::"sql:any", '
             'resource in Table::"target/postgres/public/closed");\n')


class Client:
    """One client's doings, all from its own random source."""

    def __init__(self, gateway, dice):
        self.gateway = gateway
        self.dice = dice
        self.done = {}
        self.wrong = []

    def run(self, until):
        actions = [self.one_query, self.errors, self.refused, self.transaction, self.copy,
                   self.pipeline, self.cancel, self.hang_up, self.die, self.garbage, self.large,
                   self.prepared, self.wrong_password]
        while time.monotonic() < until:
            action = self.dice.choice(actions)
            try:
                action()
            except Exception as problem:  # pylint: disable=broad-except
                self.wrong.append(f"{action.__name__}: {type(problem).__name__}: {problem}")
            self.done[action.__name__] = self.done.get(action.__name__, 0) + 1

    def connect(self, **options):
        return psycopg.connect(self.gateway.dsn(), **{"autocommit": True, **options})

    def one_query(self):
        with self.connect() as connection:
            number = self.dice.randrange(500)
            assert connection.execute(f"select {number} as c{number}").fetchone() == (number,)

    def errors(self):
        with self.connect() as connection:
            for sql, state in (("select 1/0", "22012"), ("selec 1", "42601"),
                               ("select * from no_such_table", "42P01")):
                try:
                    connection.execute(sql)
                    raise AssertionError(f"{sql} went well")
                except psycopg.Error as refused:
                    assert refused.sqlstate == state, f"{sql}: {refused.sqlstate}"
            assert connection.execute("select 1").fetchone() == (1,)

    def refused(self):
        with self.connect() as connection:
            for _ in range(self.dice.randrange(1, 5)):
                try:
                    connection.execute("select * from closed")
                    raise AssertionError("closed is open")
                except psycopg.errors.InsufficientPrivilege:
                    pass

    def transaction(self):
        with self.connect(autocommit=False) as connection:
            for _ in range(self.dice.randrange(1, 8)):
                connection.execute("insert into rows values (%s, %s)",
                                   (self.dice.randrange(1000), "x" * self.dice.randrange(2000)))
            if self.dice.random() < 0.5:
                connection.rollback()

    def copy(self):
        with self.connect() as connection:
            count = self.dice.randrange(1, 300)
            with connection.cursor() as cursor:
                with cursor.copy("copy rows from stdin") as copy:
                    for row in range(count):
                        copy.write_row((row, "copied"))
                with cursor.copy("copy (select id from rows limit 1000) to stdout") as copy:
                    for _ in copy:
                        pass

    def pipeline(self):
        with self.connect() as connection, connection.pipeline():
            cursors = [connection.execute("select %s::int", (i,))
                       for i in range(self.dice.randrange(1, 60))]
            assert [cursor.fetchone()[0] for cursor in cursors] == list(range(len(cursors)))

    def prepared(self):
        with self.connect(prepare_threshold=0) as connection:
            for number in range(self.dice.randrange(1, 30)):
                connection.execute(f"select {number % 10} + %s", (number,))

    def large(self):
        with self.connect() as connection:
            rows = self.dice.randrange(1, 20_000)
            found = connection.execute("select repeat('y', 100) from generate_series(1, %s)",
                                       (rows,)).fetchall()
            assert len(found) == rows

    def cancel(self):
        """One that comes before its statement runs is lost, as PostgreSQL itself has it: so again."""
        with self.connect() as connection:
            over = threading.Event()

            def insist():
                while not over.wait(self.dice.random() / 5):
                    connection.cancel()

            thread = threading.Thread(target=insist)
            thread.start()
            try:
                connection.execute("select pg_sleep(20)")
                raise AssertionError("not cancelled")
            except psycopg.errors.QueryCanceled:
                pass
            finally:
                over.set()
                thread.join()

    def hang_up(self):
        """The socket goes in the middle of an answer, a transaction or a COPY."""
        connection = self.connect(autocommit=False)
        sql = self.dice.choice(["select repeat('z', 1000) from generate_series(1, 20000)",
                                "insert into rows values (1, 'never')", "select pg_sleep(20)",
                                "copy rows from stdin"])
        connection.pgconn.send_query(sql.encode())
        time.sleep(self.dice.random() / 20)
        with socket.socket(fileno=os.dup(connection.fileno())) as cut:
            cut.shutdown(socket.SHUT_RDWR)
        connection.close()

    def die(self):
        sql = "select pg_sleep(0.05), repeat('z', 1000) from generate_series(1, 100)"
        with subprocess.Popen(["psql", "-X", "-q", self.gateway.dsn(), "-c", sql],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as psql:
            time.sleep(self.dice.random() / 5)
            psql.kill()

    def garbage(self):
        with socket.create_connection(("127.0.0.1", self.gateway.ports["postgres"])) as raw:
            raw.sendall(self.dice.randbytes(self.dice.randrange(200)))
            time.sleep(self.dice.random() / 50)

    def wrong_password(self):
        dsn = self.gateway.dsn().replace(self.gateway.ticket(), "spt_wrong")
        try:
            psycopg.connect(dsn).close()
            raise AssertionError("a wrong password is good")
        except psycopg.OperationalError:
            pass


def at_rest(gateway):
    """Descriptors and resident bytes, once the sessions of the round have ended."""
    process = f"/proc/{gateway.process.pid}"
    fewest = 1 << 30
    end = time.monotonic() + 3
    while time.monotonic() < end:
        fewest = min(fewest, len(os.listdir(f"{process}/fd")))
        time.sleep(0.1)
    pages = int(pathlib.Path(f"{process}/statm").read_text().split()[1])
    return fewest, pages * os.sysconf("SC_PAGE_SIZE")


def reload_now_and_then(gateway, dice, until):
    """Good ones, and bad ones that must change nothing."""
    extra = gateway.folder / "policies/extra.cedar"
    while time.monotonic() < until:
        time.sleep(dice.uniform(1, 6))
        beside = extra.with_suffix(".new")
        beside.write_text('@id("more") permit (principal, action, resource);\n'
                          if dice.random() < 0.7 else "permit (principal")
        beside.rename(extra)
        gateway.process.send_signal(signal.SIGHUP)
    extra.unlink(missing_ok=True)


def slope(values):
    """Rise per step of the straight line through them."""
    middle = (len(values) - 1) / 2
    mean = statistics.fmean(values)
    over = sum((x - middle) * (y - mean) for x, y in enumerate(values))
    return over / sum((x - middle) ** 2 for x in range(len(values)))


def judge(samples):
    """What is not flat, as a list of complaints."""
    measured = samples[max(3, len(samples) // 5):]
    if len(measured) < 3:
        return ["too few rounds after the warm-up: run it longer"]
    third = max(1, len(measured) // 3)
    complaints = []
    descriptors = [one[0] for one in measured]
    first, last = max(descriptors[:third]), min(descriptors[-third:])
    print(f"descriptors at rest: {first} in the first third, {last} in the last")
    if last > first + 2:
        complaints.append(f"descriptors rise from {first} to {last}")
    memory = [one[1] for one in measured]
    first, last = statistics.median(memory[:third]), statistics.median(memory[-third:])
    allowed = max(8 * MEBIBYTE, first / 10)
    rise = slope(memory) * (len(memory) - 1)
    print(f"resident at rest: {first / MEBIBYTE:.1f} MiB in the first third, "
          f"{last / MEBIBYTE:.1f} in the last; {rise / MEBIBYTE:+.1f} by the line through all; "
          f"{allowed / MEBIBYTE:.1f} MiB allowed")
    if last - first > allowed or rise > allowed:
        complaints.append("memory is not flat")
    return complaints


def soak(gateway, arguments):
    with psycopg.connect(gateway.dsn(), autocommit=True) as connection:
        connection.execute("create table rows (id integer, text text)")
        connection.execute("create table closed (id integer)")
    (gateway.folder / "policies/closed.cedar").write_text(FORBIDDEN)
    gateway.process.send_signal(signal.SIGHUP)
    while "reloaded" not in gateway.output():
        time.sleep(0.1)
    rounds = max(1, round(arguments.minutes * 60 / ROUND_S))
    samples, wrong, done = [], [], {}
    for number in range(rounds):
        until = time.monotonic() + ROUND_S - 4
        clients = [Client(gateway, random.Random(f"{arguments.seed}/{number}/{i}"))
                   for i in range(arguments.clients)]
        threads = [threading.Thread(target=client.run, args=(until,)) for client in clients]
        threads.append(threading.Thread(target=reload_now_and_then, args=(
            gateway, random.Random(f"{arguments.seed}/{number}/reload"), until)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if gateway.process.poll() is not None:
            raise RuntimeError("the gateway died:\n" + gateway.output()[-3000:])
        samples.append(at_rest(gateway))
        for client in clients:
            wrong += client.wrong
            for name, count in client.done.items():
                done[name] = done.get(name, 0) + count
        print(f"round {number + 1}/{rounds}: {samples[-1][0]} descriptors, "
              f"{samples[-1][1] / MEBIBYTE:.1f} MiB, {sum(done.values())} actions, "
              f"{len(wrong)} wrong", flush=True)
        if len(samples) > 1:
            # The target forgets, so that a longer soak does not need a larger disk.
            with psycopg.connect(gateway.dsn(), autocommit=True) as connection:
                connection.execute("truncate rows")
    print("actions: " + ", ".join(f"{name} {count}" for name, count in sorted(done.items())))
    complaints = judge(samples)
    complaints += sorted(set(wrong))[:20]
    return complaints


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--clients", type=int, default=6)
    arguments = parser.parse_args()
    print(f"soak: {arguments.minutes} minutes, {arguments.clients} clients, seed {arguments.seed}",
          flush=True)
    with tempfile.TemporaryDirectory(prefix="sallyport-soak-") as folder:
        target = Target()
        gateway = Gateway(pathlib.Path(folder) / "gateway", target)
        try:
            gateway.start()
            complaints = soak(gateway, arguments)
            if gateway.stop() != 0:
                complaints.append("the gateway did not stop with 0")
            gateway.verify()
        finally:
            gateway.stop()
            target.remove()
    for complaint in complaints:
        print("FAILED:", complaint)
    if not complaints:
        print("soak: ok")
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
