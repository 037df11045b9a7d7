"""Where nothing is masked, the gateway is a faithful server: what PostgreSQL's own regression suite showed to
be missing (tests/regress runs the suite itself, behind scripts/test --all)."""

import subprocess

import psycopg
import pytest

from masked import MaskLab
from serving import Gateway, Target

SCHEMA = """
create table customers (id int primary key, email text);
insert into customers values (1, 'ada.canary@example.org');
create function reads_it() returns text language sql as 'select email from customers';
"""


@pytest.fixture(scope="module")
def target():
    running = Target()
    yield running
    running.remove()


@pytest.fixture(scope="module")
def gateway(target, tmp_path_factory):
    running = Gateway(tmp_path_factory.mktemp("faithful") / "gateway", target).start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def lab():
    running = MaskLab(SCHEMA, 'classification: {"*.customers.email": pii.email}')
    yield running
    running.remove()


def psql(dsn, *commands):
    arguments = ["psql", "-X", "-q", "-A", "-t", "-v", "VERBOSITY=verbose", dsn]
    for command in commands:
        arguments += ["-c", command]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)


def test_several_statements_with_ddl_in_one_text(gateway):
    done = psql(gateway.dsn(), "create table a_few (n int); insert into a_few values (1), (2); "
                "set work_mem = '2MB'; do 'begin end'; select sum(n) from a_few; drop table a_few")
    assert (done.returncode, done.stdout) == (0, "3\n"), done.stderr


def test_another_search_path_still_has_to_come_by_itself(gateway):
    done = psql(gateway.dsn(), "set search_path = pg_catalog; select * from a_few")
    assert "must be sent by itself" in done.stderr
    done = psql(gateway.dsn(), "begin", "set local search_path = pg_catalog",
                "rollback; select * from a_few")
    assert "must be sent by itself" in done.stderr


def test_the_end_of_a_transaction_and_what_comes_after_it(gateway):
    done = psql(gateway.dsn(), "create table ends (n int)",
                "begin; insert into ends values (1); commit; select n from ends; drop table ends")
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr


def large_object(dsn, folder):
    """psql's large objects are libpq's, which calls functions by their numbers."""
    original, copy = folder / "original", folder / "copy"
    original.write_bytes(bytes(range(256)) * 300)
    copy.unlink(missing_ok=True)
    done = psql(dsn, f"\\lo_import {original}", "\\echo :LASTOID")
    number = done.stdout.split()[-1]
    out = psql(dsn, f"\\lo_export {number} {copy}", f"\\lo_unlink {number}")
    return done, out, original, copy


def test_large_objects(gateway, tmp_path):
    done, out, original, copy = large_object(gateway.dsn(), tmp_path)
    assert (done.returncode, out.returncode) == (0, 0), done.stderr + out.stderr
    assert copy.read_bytes() == original.read_bytes()
    recorded = str(gateway.records())
    for function in ("lo_open", "lowrite", "loread", "lo_unlink"):
        assert f"postgres/pg_catalog/{function}'" in recorded, function


def test_large_objects_are_not_for_whom_columns_are_masked(lab, tmp_path):
    done, _, _, copy = large_object(lab.dsn("reader"), tmp_path)
    assert "cannot be used while columns are masked" in done.stderr or "masked for you" in done.stderr
    assert not copy.exists()
    done, out, original, copy = large_object(lab.dsn("admin"), tmp_path)
    assert (done.returncode, out.returncode) == (0, 0), done.stderr + out.stderr
    assert copy.read_bytes() == original.read_bytes()


def test_cursors_that_functions_open(gateway):
    with psycopg.connect(gateway.dsn(), autocommit=True) as client:
        client.execute("create function opens(refcursor) returns refcursor language plpgsql as "
                       "'begin open $1 for select generate_series(1, 3); return $1; end'")
        with client.transaction():
            with pytest.raises(psycopg.errors.InvalidCursorName):
                with client.transaction():
                    client.execute("fetch all in nobody")
            client.execute("select opens('mine')")
            assert client.execute("fetch all in mine").fetchall() == [(1,), (2,), (3,)]
        client.execute("drop function opens")


def test_functions_with_settings_and_the_rest_of_the_catalog(gateway):
    with psycopg.connect(gateway.dsn(), autocommit=True) as client:
        for statement in (
                "create schema rest create table t (a int) create view v as select * from t",
                "create function rest.f(int, int) returns bool language sql security definer "
                "set search_path = pg_catalog, rest as 'select $1 < $2'",
                "create operator rest.<<< (leftarg = int, rightarg = int, procedure = rest.f)",
                "create aggregate rest.total(int) (sfunc = int4pl, stype = int, initcond = '0')",
                "create type rest.pair as (a int, b int)",
                "create collation rest.c (locale = 'C')",
                "create text search configuration rest.words (copy = simple)",
                "create publication rest_p for table rest.t",
                "alter role current_user set statement_timeout = 0",
                "comment on operator rest.<<< (int, int) is 'less'"):
            client.execute(statement)
        assert client.execute("select 1 operator(rest.<<<) 2, (select rest.total(x) from "
                              "generate_series(1, 3) x)").fetchone() == (True, 6)
        client.execute("drop publication rest_p")
        client.execute("drop schema rest cascade")
        with pytest.raises(psycopg.Error, match="keeps standard_conforming_strings"):
            client.execute("create function f() returns int language sql "
                           "set standard_conforming_strings = off as 'select 1'")


@pytest.mark.parametrize("text", [
    "create temp table c2 (a int); select * from customers",
    "create operator <<< (leftarg = text, rightarg = text, procedure = texteq)",
    "create aggregate seen(text) (sfunc = textcat, stype = text)",
    "create cast (text as bytea) with function convert_to(text, name)",
    "create publication p for table customers", "create function f() returns int language sql as 'select 1'",
    "alter role gateway set work_mem = '1MB'", "create foreign table f (a int) server s",
    "create schema s create view v as select email from customers",
])
def test_none_of_it_is_for_whom_columns_are_masked(lab, text):
    with lab.connect("reader") as client, pytest.raises(psycopg.Error) as refused:
        client.execute(text)
    assert "masked for you" in str(refused.value) and "canary" not in str(refused.value)


def test_ddl_among_others_is_for_whom_nothing_is_masked(lab):
    with lab.connect("admin") as client:
        client.execute("create temp table c2 (a int); select * from customers")


def test_settings_may_be_read_by_a_bound_name_but_not_those_of_the_gateway(lab):
    """SQLAlchemy's reflection binds the name; the key of hash masks is a setting of the gateway's."""
    with lab.connect("reader", prepare_threshold=0) as client:
        assert client.execute("select current_setting(%s::varchar)", ("DateStyle",)).fetchone() == ("ISO, MDY",)
        for name in ("sallyport.mask_key", "SallyPort.Mask_Key"):
            with pytest.raises(psycopg.Error, match="gateway's own settings cannot be read"):
                client.execute("select current_setting(%s::varchar, true)", (name,))
            for binary in (True, False):
                with pytest.raises(psycopg.Error, match="gateway's own settings cannot be read"):
                    client.execute("select current_setting(%s, true)", (name,), binary=binary)
        # By another way to the same prepared statement.
        for text in ("execute _pg3_0('sallyport.mask_key')",
                     "prepare p(text) as select current_setting($1)",
                     "select current_setting('sallyport.' || 'mask_key')",
                     "select current_setting(lower($$SALLYPORT.mask_key$$))"):
            with pytest.raises(psycopg.Error) as refused:
                client.execute(text, prepare=False)
            assert refused.value.sqlstate == "42501", text


def test_asyncpg_may_switch_jit_off_for_its_introspection(gateway):
    done = psql(gateway.dsn(), "select current_setting('jit'), set_config('jit', 'off', false)", "show jit")
    assert done.stdout == "on|off\noff\n", done.stderr
