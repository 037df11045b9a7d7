"""How much one answer may hold for who may not `unlimited`: psycopg, psql, and a client that pipelines."""

import io
import json

import psycopg
import pytest
from conftest import Demo
from raw_client import FLUSH, SYNC, RawClient, bind, execute, parse, query

ROWS, BYTES = 100, 20000
POLICIES = """\
@id("all") permit (principal, action, resource) unless { action == Action::"unlimited" };
@id("dba-unlimited") permit (principal in Group::"dba", action == Action::"unlimited", resource);
@id("small-is-free") permit (principal, action == Action::"unlimited",
                             resource in Table::"shop/shop/public/free");
"""
SQL = """
create table free as select i from generate_series(1, 1000) i;
create table numbers as select i, repeat('x', 20) as filler from generate_series(1, 100000) i;
create table wide as select i, repeat('y', 1000) as filler from generate_series(1, 50) i;
create table huge as select repeat('z', 400000) as filler;
create table log (i int);
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("limits")
    (folder / "policies").mkdir()
    (folder / "policies/10.cedar").write_text(POLICIES)
    (folder / "more.yaml").write_text(
        f"connections: {{shop: {{answer_rows_max: {ROWS}, answer_bytes_max: {BYTES}}}}}\n")
    running = Demo(folder, "--policies", str(folder / "policies"), "--config",
                   str(folder / "more.yaml"))
    with psycopg.connect(running.dsn("dana"), autocommit=True) as dana:
        for statement in SQL.strip().split(";"):
            dana.execute(statement)
    yield running
    running.stop()


@pytest.fixture
def alice(shop):
    with psycopg.connect(shop.dsn("alice"), autocommit=True) as connection:
        yield connection


TOO_MUCH = psycopg.errors.ProgramLimitExceeded


@pytest.mark.parametrize("prepare", [False, True])
def test_as_many_rows_as_the_limit_and_not_one_more(shop, alice, prepare):
    sql = "select i from numbers limit %s"
    assert len(alice.execute(sql, (ROWS,), prepare=prepare).fetchall()) == ROWS
    for many in (ROWS + 1, 5000, 100000):
        with pytest.raises(TOO_MUCH, match="at most 100 rows and 20000 bytes"):
            alice.execute(sql, (many,), prepare=prepare)
        assert alice.execute("select 1").fetchone() == (1,)
    with psycopg.connect(shop.dsn("dana")) as dana:
        assert len(dana.execute(sql, (100000,), prepare=prepare).fetchall()) == 100000


def test_simple_queries_and_many_statements_at_once(shop):
    # On the wire: nothing but the error, and one ReadyForQuery.
    with RawClient(shop, "alice") as client:
        assert client.ask(f"select i from numbers limit {ROWS}")[-2:] == [f"C:SELECT {ROWS}", "Z:I"]
        for many in (ROWS + 1, 100000):
            seen = client.ask(f"select i from numbers limit {many}")
            assert sum(one.startswith("D:") for one in seen) == ROWS
            assert seen[-2:] == ["E:54000", "Z:I"], seen[-3:]
        seen = client.ask("select i from numbers limit 60; select i from numbers limit 60; select 1")
        assert sum(one.startswith("D:") for one in seen) == ROWS
        assert seen[-2:] == ["E:54000", "Z:I"]
        client.ask("begin")
        assert client.ask("select i from numbers")[-2:] in (["E:54000", "Z:E"], ["E:54000", "Z:T"])
        client.ask("rollback")
        assert client.ask("select 1")[-2:] == ["C:SELECT 1", "Z:I"]


def test_what_belongs_to_no_answer_is_not_kept_back(shop):
    with RawClient(shop, "alice") as client, \
            psycopg.connect(shop.dsn("dana"), autocommit=True) as dana:
        client.ask("listen news")
        client.send(query("select count(*) from generate_series(1, 3000000); "
                          "select i from numbers limit 5000"))
        dana.execute("notify news")
        seen = client.until()
        assert seen[-1] == "Z:I" and "E:54000" in seen, seen[-4:]
        if "A" not in seen:  # older servers tell it when they wait for the next statement
            client.until("A")


def test_bytes_too(alice):
    assert len(alice.execute("select * from wide limit 10").fetchall()) == 10
    with pytest.raises(TOO_MUCH):
        alice.execute("select * from wide")
    with pytest.raises(TOO_MUCH):  # one row, which comes in pieces
        alice.execute("select * from huge")
    assert alice.execute("select length(filler) from huge").fetchone() == (400000,)


def test_a_portal_and_a_cursor_are_counted_as_a_whole(shop, alice):
    with RawClient(shop, "alice") as client:
        client.send(query("begin"))
        client.until()
        client.send(parse("", "select i from numbers"), bind("p", ""), execute("p", 60), FLUSH)
        assert client.until("s")[-2:] == ["D:60", "s"]
        client.send(execute("p", 60), SYNC)
        seen = client.until()
        assert seen[-3:-1] == ["D:100", "E:54000"] and len(seen) == 42
        client.send(query("rollback"))
        client.until()
    with alice.transaction():
        alice.execute("declare c cursor for select i from numbers")
        assert len(alice.execute("fetch 60 from c").fetchall()) == 60
        with pytest.raises(TOO_MUCH):
            alice.execute("fetch 60 from c")
    with alice.transaction():
        with alice.cursor("named") as cursor:
            cursor.itersize = 30
            cursor.execute("select i from numbers")
            with pytest.raises(TOO_MUCH):
                cursor.fetchall()


@pytest.mark.parametrize("options", ["", "(format csv, header)", "(format binary)"])
def test_copy(alice, options):
    def copied(sql):
        out = io.BytesIO()
        with alice.cursor() as cursor, cursor.copy(f"copy ({sql}) to stdout {options}") as copy:
            for piece in copy:
                out.write(piece)
        return out.getvalue()

    assert copied(f"select i from numbers limit {ROWS}")
    with pytest.raises(TOO_MUCH):
        copied(f"select i from numbers limit {ROWS + 3}")
    with pytest.raises(TOO_MUCH):
        copied("select * from numbers")
    assert alice.execute("select 1").fetchone() == (1,)


def test_what_stands_behind_it_in_the_pipeline_is_skipped_as_the_client_thinks(shop):
    with RawClient(shop, "alice") as client:
        for many in (ROWS + 1, 100000):
            client.send(parse("", f"select i from numbers limit {many}"), bind("", ""), execute(),
                        parse("s", "select 7"), bind("", "s"), execute(), SYNC,
                        parse("", "select 8"), bind("", ""), execute(), SYNC)
            seen = client.until(count=2)
            assert seen.index("E:54000") == seen.index("D:100") + 1
            assert seen[seen.index("E:54000") + 1:] == ["Z:I", "1", "2", "D:8", "C:SELECT 1", "Z:I"], many
            client.send(query("deallocate all"))
            client.until()
        # Nothing that changes something is told to be undone when nobody knows: either the change
        # had not been sent, or the session ends.
        client.send(parse("", "select i from numbers limit 5000"), bind("", ""), execute(),
                    parse("w", "insert into log values (1)"), bind("", "w"), execute(), SYNC)
        seen = []
        try:
            while not seen or seen[-1][0] != "Z":
                seen.append(client.read())
        except EOFError:
            assert seen[-1][0] == "E" and b"SFATAL" in seen[-1][1] and b"may hold" in seen[-1][1]
        else:
            assert [kind for kind, _ in seen[-2:]] == ["E", "Z"] and b"C54000" in seen[-2][1]
            assert client.ask("select count(*) from log")[1] == "D:0"


def test_a_write_before_it_in_the_batch_is_not_told_to_be_undone(shop):
    with RawClient(shop, "alice") as client:
        client.send(parse("w", "insert into log values (1)"), bind("", "w"), execute(),
                    parse("r", f"select i from numbers limit {ROWS + 50}"), bind("", "r"), execute(), SYNC)
        seen = []
        with pytest.raises(EOFError):
            while True:
                seen.append(client.read())
        assert seen[-1][0] == "E" and b"SFATAL" in seen[-1][1] and b"may hold" in seen[-1][1]
    with RawClient(shop, "alice") as client:  # and what an earlier batch wrote is of no matter
        client.send(parse("w", "insert into log values (2)"), bind("", "w"), execute(), SYNC)
        client.until()
        client.send(parse("r", f"select i from numbers limit {ROWS + 50}"), bind("", "r"), execute(), SYNC)
        assert client.until()[-2:] == ["E:54000", "Z:I"]


def test_a_write_that_returns_too_much_ends_the_session(shop):
    with pytest.raises(psycopg.OperationalError, match="may hold"):
        with psycopg.connect(shop.dsn("alice"), autocommit=True) as alice:
            alice.execute("insert into log select i from numbers limit 5000 returning i")


def test_who_is_limited_on_what(shop, alice):
    assert len(alice.execute("select * from free").fetchall()) == 1000
    assert len(alice.execute("select generate_series(1, 1000)").fetchall()) == 1000  # of nothing
    with pytest.raises(TOO_MUCH):
        alice.execute("select f.i from free f, numbers n where n.i = f.i")
    with pytest.raises(TOO_MUCH):
        alice.execute("prepare p as select * from numbers")
        alice.execute("execute p")
    with psycopg.connect(shop.dsn("dana"), autocommit=True) as dana:
        dana.execute("create or replace function unseen() returns setof int language plpgsql as "
                     "'begin return query execute ''select i from numbers''; end'")
    with pytest.raises(psycopg.OperationalError, match="at most"):  # what it did, nobody knows
        alice.execute("select unseen()")


def test_the_record_says_that_limits_held_and_that_more_came(shop, alice):
    with pytest.raises(TOO_MUCH):
        alice.execute("select i as recorded from numbers limit 4321")
    done = shop.sallyport("ledger", "export", "--data", str(shop.data))
    records = [json.loads(line) for line in done.stdout.splitlines()]
    command = [one for one in records if one["kind"] == "command"
               and "recorded" in one["data"]["command"]["text"]][-1]
    guards = command["data"]["command"]["safeguards"]
    assert {"action": "unlimited", "type": "Table", "resource": "shop/shop/public/numbers"}.items() <= \
        guards[0].items() and guards[0]["effect"] == "at most 100 rows and 20000 bytes"
    outcome = [one for one in records if one["kind"] == "outcome"
               and one["data"].get("command") == command["sequence"]]
    assert "54000" in str(outcome or records[-5:])
