"""What a chain does to names itself, so that a text which was decided means something else when it runs."""

import os
import socket

import psycopg
import pytest

from masked import MaskLab
from raw_client import SYNC, RawClient, bind, execute, parse, query

SQL = """
create schema app; create schema hr; create schema dept;
create table people (id int primary key, email text unique);
insert into people values (1, 'secret@hr.example');
create table hr.people (id int, email text);
insert into hr.people values (1, 'secret@hr.example');
create table dept.people (id int, email text);
insert into dept.people values (1, 'plain@dept.example');
create table hr.pay (amount int); insert into hr.pay values (4711);
create table pay (amount int); insert into pay values (1);
create table later (id int, owner text); insert into later values (1, 'me'), (2, 'them');
"""

PROTECTION = """
search_path: [app, public]
classification:
  public.people.email: secret
  hr.people.email: secret
"""

SECRET = "secret@hr.example"


@pytest.fixture(scope="module")
def lab():
    made = MaskLab(SQL, PROTECTION)
    yield made
    made.remove()


@pytest.fixture
def own_table(lab):
    """app.people, of the reader's own and empty: what `people` means to it."""
    with lab.connect("reader") as reader:
        reader.execute("create table app.people (id int, email text)")
        reader.execute("select id from app.people")  # so that it is known
    yield
    with lab.direct() as owner:
        owner.execute("drop table if exists app.people")


class Raw(RawClient):
    """Logged in by psycopg, and then byte by byte."""

    def __init__(self, lab, who):
        self.connection = lab.connect(who)
        self.socket = socket.socket(fileno=os.dup(self.connection.fileno()))
        self.socket.setblocking(True)
        self.socket.settimeout(20)
        self.buffer, self.key = b"", None


def test_a_name_that_could_mean_a_masked_table_wants_its_schema(lab, own_table):
    with lab.connect("reader") as reader:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="public.people"):
            reader.execute("select id from people")
        assert reader.execute("select id from app.people").fetchall() == []


@pytest.mark.parametrize("undo", ["drop table app.people", "drop schema app cascade"])
@pytest.mark.parametrize("read", ["select upper(email) from people", "copy people to stdout",
                                  "insert into app.kept select email from people",
                                  "delete from people where email like 's%' returning email"])
def test_a_table_dropped_in_a_transaction_uncovers_nothing(lab, own_table, undo, read):
    with Raw(lab, "reader") as reader:
        reader.ask("begin")
        reader.ask(undo)
        answers = reader.ask(read)
        assert not any(SECRET in one.lower() for one in answers), answers
        assert any(one.startswith("E:") for one in answers), answers
        reader.ask("rollback")


def test_nor_in_a_pipeline(lab, own_table):
    with Raw(lab, "reader") as reader:
        reader.send(query("drop table app.people"), query("copy people to stdout"))
        answers = reader.until(count=2)
        assert not any(SECRET in one.lower() for one in answers), answers
    with Raw(lab, "reader") as reader:
        reader.send(parse("", "select 1"), SYNC)
        reader.until()


@pytest.mark.parametrize("sql", ["copy people to stdout", "execute q"])
def test_a_portal_does_what_it_was_bound_for(lab, sql):
    with Raw(lab, "reader") as reader:
        reader.ask("set search_path = dept")
        reader.send(parse("q", "select email || '' from people"), SYNC)
        reader.until()
        reader.ask("begin")
        reader.send(parse("s", sql), bind("p", "s"), SYNC)
        bound = reader.until()
        assert not any(one.startswith("E:") for one in bound), bound
        reader.ask("set search_path = hr")
        reader.send(execute("p"), SYNC)
        answers = reader.until()
        assert not any(SECRET in one.lower() for one in answers), answers
        assert any(one.startswith("E:") for one in answers), answers


@pytest.fixture(scope="module")
def lab_of_policies():
    made = MaskLab(SQL, "", policies='@id("all") permit (principal, action, resource);\n'
                   '@id("not-hr") forbid (principal, action in Action::"sql:any", '
                   'resource in DbSchema::"lab/lab/hr");\n'
                   '@id("not-people") forbid (principal, action in Action::"sql:any", '
                   'resource in Table::"lab/lab/public/people");\n')
    yield made
    made.remove()


def test_a_portal_keeps_to_the_policies_without_masks_too(lab_of_policies):
    lab = lab_of_policies
    with Raw(lab, "reader") as reader:
        reader.ask("begin")
        reader.send(parse("c", "copy pay to stdout"), bind("c", "c"),
                    parse("t", "truncate pay"), bind("t", "t"),
                    parse("r", "select amount from pay"), bind("r", "r"), SYNC)
        assert not any(one.startswith("E:") for one in reader.until())
        reader.ask("savepoint s")
        reader.ask("set search_path = hr")
        for portal in "ct":
            reader.send(execute(portal), SYNC)
            answers = reader.until()
            assert any(one.startswith("E:") for one in answers), (portal, answers)
            reader.ask("rollback to savepoint s")
            reader.ask("set search_path = hr")
        reader.send(execute("r"), SYNC)
        assert "D:1" in reader.until()  # planned when it was bound
        reader.ask("rollback")
    with lab.direct() as owner:
        assert owner.execute("select amount from hr.pay").fetchall() == [(4711,)]


def test_parts_of_a_schema_refer_to_what_is_there_by_then(lab_of_policies):
    with lab_of_policies.connect("reader") as reader:
        for sql in ["create schema s1 create table k(email text references people(email)) "
                    "create table people(id int)",
                    "create schema s1 create table k() inherits (people) create table people(id int)"]:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(sql)
        reader.execute("create schema s1 create table people(email text primary key) "
                       "create table k(email text references people(email)) "
                       "create view v as select email from people")
        reader.execute("drop schema s1 cascade")


@pytest.mark.parametrize("sql,types", [
    ("select current_setting($1::regclass::text)", [0]), ("select current_setting($1::text)", [2205]),
    ("select $1::regclass, current_setting($1::text)", [0]), ("select current_setting($1)", [2205]),
    ("select current_setting($1, true) from (select $1::regclass) x", [0])])
def test_no_number_of_an_object_names_a_setting_of_the_gateway(lab, sql, types):
    with lab.direct() as owner:
        owner.execute("create schema if not exists sallyport")
        owner.execute("create table if not exists sallyport.mask_key (a int)")
        number = owner.execute("select 'sallyport.mask_key'::regclass::oid").fetchone()[0]
    with lab.connect("reader") as reader:
        done = reader.pgconn.prepare(b"s", sql.encode(), types)
        if done.status == psycopg.pq.ExecStatus.COMMAND_OK:
            done = reader.pgconn.exec_prepared(b"s", [str(number).encode()])
        assert done.status == psycopg.pq.ExecStatus.FATAL_ERROR, done.get_value(0, 0)
        assert reader.execute("select current_setting(%s)", ("work_mem",)).fetchone()[0]


def test_a_row_filter_of_a_table_that_is_not_there_yet_holds():
    made = MaskLab("select 1", "row_filters:\n  public.later:\n    own: \"owner = 'me'\"\n")
    try:
        with made.connect("reader") as reader:
            with pytest.raises(psycopg.Error):
                reader.execute("create table public.later (id int, owner text); "
                               "insert into public.later values (1, 'them'); select * from public.later")
    finally:
        made.remove()
