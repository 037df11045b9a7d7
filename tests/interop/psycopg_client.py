"""psycopg 3 over the newest libpq: protocol 3.2, direct TLS, pipelines, COPY in both formats."""

import json
import sys
import threading
import time

import psycopg
from psycopg.rows import dict_row


def main(to):
    seen = {}
    tls = {"sslmode": "disable"}
    if to["ca"]:
        tls = {"sslmode": "verify-full", "sslrootcert": to["ca"], "sslnegotiation": "direct"}
    where = {"host": to["host"], "port": to["port"], "user": to["user"],
             "password": to["password"], "dbname": to["database"], "autocommit": True, **tls}
    # The server here may speak 3.0 alone, the gateway more: both are to work.
    for protocol in ("3.0", "latest"):
        with psycopg.connect(**where, max_protocol_version=protocol) as connection:
            seen[f"protocol {protocol}"] = connection.execute("select 1").fetchone()
            timer = threading.Timer(0.5, connection.cancel_safe)
            timer.start()
            began = time.monotonic()
            try:
                connection.execute("select pg_sleep(60)")
            except psycopg.errors.QueryCanceled as error:
                seen[f"cancel {protocol}"] = (error.sqlstate, time.monotonic() - began < 30)
            timer.join()
    with psycopg.connect(**where) as connection:
        connection.execute("drop schema if exists interop_psycopg cascade")
        connection.execute("create schema interop_psycopg")
        connection.execute("create table interop_psycopg.t (id int, name text, at timestamptz)")
        with connection.pipeline() as pipeline:
            cursors = [connection.execute("select %s::int + 1", (i,)) for i in range(100)]
            pipeline.sync()
            seen["pipeline"] = [cursor.fetchone()[0] for cursor in cursors]
        try:
            with connection.pipeline():
                connection.execute("select 1")
                connection.execute("select 1/0")
                connection.execute("select 2")
        except psycopg.errors.DivisionByZero as error:
            seen["pipeline error"] = error.sqlstate
        for format in ("text", "binary"):
            with connection.cursor().copy(
                    f"copy interop_psycopg.t (id, name) from stdin (format {format})") as copy:
                copy.set_types(["int4", "text"])
                for i in range(3000):
                    copy.write_row((i, f"{format} {i}"))
            with connection.cursor().copy(
                    f"copy (select id, name from interop_psycopg.t) to stdout (format {format})"
                    ) as copy:
                copy.set_types(["int4", "text"])
                seen[f"copied {format}"] = sum(row[0] for row in copy.rows())
        with connection.cursor(row_factory=dict_row, binary=True) as cursor:
            cursor.executemany("insert into interop_psycopg.t (id, name) values (%s, %s) returning id",
                               [(i, None) for i in range(20)], returning=True)
            returned = []
            while True:
                returned.append(cursor.fetchone()["id"])
                if not cursor.nextset():
                    break
            seen["returned"] = returned
        with connection.transaction():
            with connection.cursor("server_side") as cursor:
                cursor.execute("select id from interop_psycopg.t order by id, name")
                seen["server side"] = len(cursor.fetchmany(700)) + len(cursor.fetchall())
        with connection.cursor() as cursor:
            seen["streamed"] = sum(1 for _ in cursor.stream("select * from interop_psycopg.t"))
        connection.execute("listen interop_psycopg")
        connection.execute("notify interop_psycopg, 'hello'")
        seen["heard"] = [n.payload for n in connection.notifies(timeout=20, stop_after=1)]
        connection.execute("drop schema interop_psycopg cascade")
    print(json.dumps(seen))


main(json.loads(sys.argv[1]))
