"""psycopg 3, unmodified: both formats, named statements, transactions, COPY, cursors, cancel."""

import datetime
import decimal
import threading
import time

import psycopg
import pytest


@pytest.fixture
def alice(demo):
    with psycopg.connect(demo.dsn("alice"), autocommit=True) as connection:
        yield connection


@pytest.fixture
def dana(demo):
    with psycopg.connect(demo.dsn("dana"), autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_values_of_many_types_arrive_whole(dana, binary):
    with dana.cursor(binary=binary) as cursor:
        cursor.execute("select id, name, email, notes, created_at from customers where id = %s",
                       (34,))
        number, name, email, notes, created = cursor.fetchone()
        assert number == 34 and len(name.split()) == 2
        assert email.endswith(".34@example.com")
        assert notes["vip"] is True
        assert created == datetime.datetime(2025, 1, 1, tzinfo=datetime.timezone.utc) + \
            datetime.timedelta(hours=34 * 37)
        cursor.execute("select total from orders where id = 1")
        assert cursor.fetchone() == (decimal.Decimal("5.36"),)


def test_a_named_statement_is_used_again_and_again(alice):
    for order in range(1, 30):
        row = alice.execute("select id from orders where id = %s", (order,), prepare=True)
        assert row.fetchone() == (order,)


def test_a_large_answer_streams(alice):
    rows = alice.execute("select o.*, c.name from orders o join customers c on c.id < 50").fetchall()
    assert len(rows) == 49_000


def test_a_pipeline_is_answered_in_order(alice):
    with alice.pipeline():
        cursors = [alice.execute("select %s::int + id from orders where id = 1", (i,))
                   for i in range(50)]
    assert [cursor.fetchone()[0] for cursor in cursors] == [i + 1 for i in range(50)]


def test_a_transaction_is_rolled_back(dana):
    with pytest.raises(ZeroDivisionError):
        with dana.transaction():
            dana.execute("update orders set total = 1.00 where id = 2")
            raise ZeroDivisionError
    assert dana.execute("select total from orders where id = 2").fetchone() != (
        decimal.Decimal("1.00"),)


def test_copy_out_and_in(dana):
    dana.execute("create table if not exists copied (id integer, name text)")
    try:
        with dana.cursor().copy("copy copied from stdin") as copy:
            for number in range(5000):
                copy.write_row((number, f"name {number}"))
        assert dana.execute("select count(*), sum(id) from copied").fetchone() == (5000, 12497500)
        with dana.cursor().copy("copy copied (id) to stdout (format binary)") as copy:
            copy.set_types(["int4"])
            assert sum(row[0] for row in copy.rows()) == 12497500
    finally:
        dana.execute("drop table copied")


def test_a_copy_in_that_breaks_off_leaves_nothing(dana):
    dana.execute("create table if not exists broken_off (id integer)")
    try:
        # Either is right: psycopg's releases differ in which of the two errors they raise.
        with pytest.raises((RuntimeError, psycopg.errors.QueryCanceled)):
            with dana.cursor().copy("copy broken_off from stdin") as copy:
                copy.write_row((1,))
                raise RuntimeError("changed my mind")
        assert dana.execute("select count(*) from broken_off").fetchone() == (0,)
    finally:
        dana.execute("drop table broken_off")


def test_a_cursor_of_the_server_is_fetched_in_parts(demo):
    with psycopg.connect(demo.dsn("alice")) as connection:
        with connection.cursor(name="parts") as cursor:
            cursor.itersize = 100
            cursor.execute("select id from orders order by id")
            assert [row[0] for row in cursor] == list(range(1, 1001))


def test_refusals_name_the_sqlstate_and_the_policy(alice):
    for statement in ("delete from orders", "update orders set total = 1", "truncate orders",
                      "drop table orders", "insert into orders select * from orders",
                      "copy orders from stdin", "select * from credentials",
                      "with x as (select secret from credentials) select * from x",
                      "select 1; delete from orders", "do 'begin end'",
                      "explain analyze delete from orders", "copy orders to program 'cat'",
                      "select pg_read_file('/etc/passwd')", "set role postgres"):
        with pytest.raises(psycopg.Error) as refused:
            alice.execute(statement)
        assert refused.value.sqlstate == "42501", statement
        assert refused.value.diag.message_detail, statement
        assert alice.execute("select 1").fetchone() == (1,)


def test_cancel_ends_the_statement_and_not_the_session(dana):
    timer = threading.Timer(0.5, dana.cancel)
    timer.start()
    start = time.monotonic()
    with pytest.raises(psycopg.errors.QueryCanceled):
        dana.execute("select pg_sleep(30)")
    assert time.monotonic() - start < 10
    timer.join()
    assert dana.execute("select 1").fetchone() == (1,)


def test_a_notification_arrives(demo, dana):
    dana.execute("listen news")
    with psycopg.connect(demo.dsn("dana"), autocommit=True) as other:
        other.execute("notify news, 'read all about it'")
    for notification in dana.notifies():
        assert notification.payload == "read all about it"
        break


@pytest.mark.parametrize("reset", [
    "SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL;",  # asyncpg
    "DISCARD ALL",  # Npgsql, PgBouncer
    "RESET SESSION AUTHORIZATION",
])
def test_what_pools_send_between_their_clients_is_permitted(demo, reset):
    with psycopg.connect(demo.dsn("alice"), autocommit=True) as connection:
        connection.execute(reset)
        assert connection.execute("select count(*) from orders").fetchone() == (1000,)
        assert connection.execute("show transaction_read_only").fetchone() == ("on",)
