"""What the gateway decides on is what the server runs: names, portals, search_path and COPY, with
clients that pipeline, fail and lie in every order. Each of these once ran another statement than
the one that was decided."""

import time

import psycopg
import pytest
from raw_client import (COPY_DONE, FLUSH, SYNC, RawClient, bind, close, copy_data, execute, message,
                        parse, query)


@pytest.fixture
def alice(demo):
    with RawClient(demo, "alice") as client:
        yield client


@pytest.fixture
def dana(demo):
    with RawClient(demo, "dana") as client:
        yield client


@pytest.fixture(scope="module", autouse=True)
def tables(demo):
    with psycopg.connect(demo.dsn("dana"), autocommit=True) as connection:
        connection.execute("create schema evil")
        connection.execute("create table evil.orders (id int)")
        connection.execute("insert into evil.orders values (-1)")
        connection.execute("create table public.scratch (id int, what text)")
        yield
        connection.execute("drop schema evil cascade")
        connection.execute("drop table public.scratch")


def rows(seen):
    return [one for one in seen if one.startswith("D:")]


def test_a_string_that_fails_cannot_have_redefined_a_name(alice):
    assert alice.ask("prepare x as select 1")[-1] == "Z:I"
    seen = alice.ask("deallocate x; prepare x as select email from customers; select 1/0")
    assert "E:42501" in seen
    assert rows(alice.ask("execute x")) == ["D:1"]


def test_a_name_that_this_batch_redefines_is_not_used_before_that_is_certain(alice):
    alice.ask("prepare x as select 1")
    alice.send(parse("", "deallocate x"), bind("", ""), execute(),
               parse("", "prepare x as select email from customers"), bind("", ""), execute(),
               bind("", "x"), execute(), SYNC)
    seen = alice.until()
    # The whole batch is alice's right: what counts is that the last Bind was decided as what it is.
    assert len(rows(seen)) == 200 or "E:26000" in seen


@pytest.mark.parametrize("kind", ["S", "P"])
def test_names_that_the_server_would_cut_are_refused(dana, kind):
    long = "n" * 63
    if kind == "S":
        dana.send(parse(long + "1", "select 1"), SYNC)
    else:
        dana.send(parse("", "select 1"), bind(long + "1", ""), SYNC)
    assert "E:42622" in dana.until()
    dana.send(parse(long, "select 1"), bind("", long), execute(), close("S", long), SYNC)
    assert rows(dana.until()) == ["D:1"]


@pytest.mark.parametrize("sequence, expected", [
    (["set search_path = evil", "discard plans"], -1),
    (["begin", "set search_path = evil", "set local search_path = public", "commit"], -1),
    (["begin", "set search_path = evil", "rollback"], 1),
    (["begin", "set local search_path = evil", "commit"], 1),
    (["set search_path = evil", "begin", "reset search_path", "rollback"], -1),
    (["set search_path = evil", "discard all"], 1),
    (["set search_path = evil", "reset all"], 1),
])
@pytest.mark.parametrize("pipelined", [False, True])
def test_the_table_that_is_recorded_is_the_one_that_is_read(demo, sequence, expected, pipelined):
    read = "select min(id) from orders"
    with RawClient(demo, "dana") as dana:
        if pipelined:
            dana.send(*[query(sql) for sql in sequence + [read]])
            seen = dana.until(count=len(sequence) + 1)
        else:
            for sql in sequence:
                dana.ask(sql)
            seen = dana.ask(read)
    assert rows(seen) == [f"D:{expected}"]
    # The newest record of this text says which table was decided on.
    exported = demo.sallyport("ledger", "export", "--data", str(demo.data), "--kind", "command")
    newest = [line for line in exported.stdout.splitlines() if read in line][-1]
    assert ("shop/shop/evil/orders" in newest) == (expected == -1)
    assert ("shop/shop/public/orders" in newest) == (expected == 1)


@pytest.mark.parametrize("sql", [
    "select set_config('search_path', 'evil', false) where false",
    "explain analyze select set_config('search_path', 'evil', false)",
    "select set_config('search_' || 'path', 'evil', false)",
    "update pg_settings set setting = 'evil' where name = 'search_path'",
])
def test_search_path_has_no_back_door(dana, sql):
    assert "E:42501" in dana.ask(sql)
    assert rows(dana.ask("select min(id) from orders")) == ["D:1"]


def test_copy_data_may_come_before_it_is_asked_for(dana):
    dana.ask("truncate scratch")
    dana.send(query("copy scratch from stdin"), copy_data(b"1\tone\n"), copy_data(b"2\ttwo\n"),
              COPY_DONE)
    seen = dana.until()
    assert seen == ["G", "C:COPY 2", "Z:I"]
    dana.send(parse("", "copy scratch from stdin"), bind("", ""), execute(), SYNC,
              copy_data(b"3\tthree\n"), COPY_DONE, SYNC)
    seen = dana.until()
    assert seen == ["1", "2", "G", "C:COPY 1", "Z:I"]
    assert rows(dana.ask("select count(*) from scratch")) == ["D:3"]


def test_another_command_inside_a_copy_ends_the_session(demo, dana):
    dana.send(query("copy scratch from stdin"), query("execute nothing"))
    with pytest.raises((EOFError, ConnectionError)):
        dana.until()
        dana.until()


def test_a_refused_query_rolls_back_the_open_implicit_transaction(demo, dana):
    dana.ask("truncate scratch")
    dana.send(parse("", "insert into scratch values (9, 'survives')"), bind("", ""), execute(),
              FLUSH)
    dana.until("C")
    dana.send(query("alter system set work_mem = '1MB'"))
    dana.until()
    dana.send(SYNC)
    dana.until()
    assert rows(dana.ask("select count(*) from scratch")) == ["D:0"]


def test_an_unauthenticated_client_cannot_make_the_gateway_keep_megabytes(demo):
    with RawClient(demo, "alice", log_in=False) as client:
        client.until("R")
        client.send(message("Q", b"x" * 1000)[:5].replace(b"\0\0\x03", b"\xff\0\0"))
        assert client.read()[0] == "E"
        with pytest.raises((EOFError, ConnectionError)):
            client.read()


def test_a_statement_that_is_not_utf8_is_refused_and_the_session_lives(alice):
    alice.send(message("Q", b"select '\xff'\0"))
    assert alice.until() == ["E:22021", "Z:I"]
    assert rows(alice.ask("select 1")) == ["D:1"]


def test_what_a_client_leaves_running_is_cancelled(demo):
    with RawClient(demo, "dana") as client:
        client.send(query("select pg_sleep(300)"))
        time.sleep(0.5)
    with psycopg.connect(demo.dsn("dana"), autocommit=True) as connection:
        for _ in range(50):
            running = connection.execute(
                "select count(*) from pg_stat_activity where state = 'active' and "
                "query like 'select pg_sleep%'").fetchone()[0]
            if running == 0:
                return
            time.sleep(0.1)
    pytest.fail("the statement still runs")


def test_a_flood_of_commands_leaves_the_other_sessions_their_turn(demo, alice):
    with RawClient(demo, "alice") as flood:
        flood.send(*[parse("", "select 1") + bind("", "") + execute() for _ in range(1000)])
        started = time.monotonic()
        assert rows(alice.ask("select 1")) == ["D:1"]
        assert time.monotonic() - started < 10
        flood.send(SYNC)
        assert len(rows(flood.until())) == 1000


def test_a_setting_that_the_server_does_not_take_is_the_clients_to_mend(demo):
    with pytest.raises(psycopg.OperationalError) as refused:
        psycopg.connect(demo.dsn("alice"), options="-c timezone=Nowhere")
    assert "TimeZone" in str(refused.value)


def test_prepared_statements_cannot_fill_the_memory(alice):
    filler = "select '" + "x" * 900_000 + "'"
    for n in range(100):
        alice.send(parse(f"s{n}", filler), SYNC)
        if "E:53200" in alice.until():
            break
    else:
        pytest.fail("a hundred statements of a megabyte each were kept")
    assert n > 50
    alice.send(close("S", "s0"), close("S", "s1"), parse("again", "select 1"), SYNC)
    assert alice.until() == ["3", "3", "1", "Z:I"]
