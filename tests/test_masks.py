"""Masks on a real server: what a chain sees that may not reveal classified columns."""

import datetime
import hashlib
import signal
import time

import psycopg
import pytest

from masked import MaskLab
from own_postgres import MAJOR

SQL = """
create table customers (id int primary key, name text not null, email text unique, card text,
                        phone text, salary numeric(10, 2), born date, ssn text not null);
insert into customers values
  (1, 'Ada', 'ada.lovelace@example.com', '4242 4242 4242 4242', '+44 20 7946 0958', 71234.50,
   '1815-12-10', '078-05-1120'),
  (2, 'Bob', 'bob@example.org', '4000 0566 5566 5556', '+1 212 555 0100', 52345.10, '1990-02-03',
   '219-09-9999'),
  (3, 'Cid', null, null, null, null, null, '457-55-5462');
create table orders (id int primary key, customer_id int references customers, total numeric,
                     note text);
insert into orders values (1, 1, 10.5, 'first'), (2, 1, 20, 'second'), (3, 2, 30, 'third');
create view mails as select id, email as mail, name from customers;
create view named as select id, name from customers;
create view mails_of_mails as select upper(mail) as shout from mails;
"""

PROTECTION = """
classification:
  "*.customers.email": pii.email
  "*.customers.card": pci.card
  "*.customers.phone": pii.phone
  "*.customers.salary": hr
  "*.customers.born": pii.born
  "*.customers.ssn": secret
masks:
  hr: round
  pii.born: year
"""


@pytest.fixture(scope="module")
def lab():
    made = MaskLab(SQL, PROTECTION)
    yield made
    made.remove()


@pytest.fixture
def reader(lab):
    with lab.connect("reader") as connection:
        yield connection


def test_psql_shows_masks_and_nothing_else(lab):
    done = lab.psql("reader", "select id, email, card, phone, salary, born, ssn from customers order by id")
    assert done.stdout.splitlines() == [
        "1|a***********@e******.com|**** **** **** 4242|+** ** **** **58|71000.00|1815-01-01|****",
        "2|b**@e******.org|**** **** **** 5556|+* *** *** **00|52000.00|1990-01-01|****",
        "3||||||****"], done.stderr + lab.output()[-3000:]


def test_who_may_reveal_sees_values(lab):
    with lab.connect("admin") as admin, lab.connect("clerk") as clerk:
        query = "select email, ssn from customers where id = 1"
        assert admin.execute(query).fetchone() == ("ada.lovelace@example.com", "078-05-1120")
        assert clerk.execute(query).fetchone() == ("ada.lovelace@example.com", "****")


# ---- What still works, and as it should ---------------------------------------------------------

PSQL = (r"\d;\d customers;\d+ customers;\d+ mails;\dt+;\df;\df+;\l;\l+;\dn+;\du;\dv+;\dm;\di+;\dx;\dp;"
        r"\sv mails;\ds+;\dT+;\do;\ddp;\dD+;\dc;\dF;\da;\dC;\dL;\dO;\dA;\dX;\dP+;\d orders_pkey;\dd")


@pytest.mark.parametrize("command", PSQL.split(";"))
def test_psql_describes_as_if_nothing_were_masked(lab, command):
    if MAJOR >= 17 and command in ("\\l", "\\l+", "\\dO"):
        pytest.skip("psql 15 asks for columns that servers since 17 call otherwise")
    masked, clear = lab.psql("reader", command), lab.psql("admin", command)
    assert (masked.stdout, masked.stderr) == (clear.stdout, clear.stderr)


EVERYDAY = [
    ("select name from customers where id = %s", (2,), [("Bob",)]),
    ("select c.id, c.name, c.email, count(*) from customers c join orders o on o.customer_id = c.id "
     "group by c.id order by c.name", (), [(1, "Ada", "a***********@e******.com", 2),
                                          (2, "Bob", "b**@e******.org", 1)]),
    ("select id, name, count(*) from customers group by id having max(salary) > 60000", (),
     [(1, "Ada", 1)]),
    ("select email, count(*) over () from customers where email is not null order by 1 limit 1", (),
     [("a***********@e******.com", 2)]),
    ("select mail from mails where id = 1", (), [("a***********@e******.com",)]),
    ("select shout from mails_of_mails where shout is not null order by 1 limit 1", (),
     [("A***********@E******.COM",)]),
    ("select * from named where id = 3", (), [(3, "Cid")]),
    ("with x as (select id, email from customers) select email from x where id = 2", (),
     [("b**@e******.org",)]),
    ("select to_jsonb(c) ->> 'ssn' from customers c where id = 1", (), [("****",)]),
    ("select (c).email from customers c where id = 2", (), [("b**@e******.org",)]),
    ("select name from customers c where exists (select from orders o where o.customer_id = c.id and "
     "o.total > %s)", (25,), [("Bob",)]),
    ("select id from customers where id = any(%s) for update", ([1, 2],), [(1,), (2,)]),
    ("select ctid::text from customers where id = 1", (), [("(0,1)",)]),
    ("select public.customers.name from public.customers where public.customers.id = 1", (), [("Ada",)]),
    ("select count(*) from information_schema.columns where table_name = 'customers'", (), [(8,)]),
    ("select relname from pg_class where oid = 'customers'::regclass", (), [("customers",)]),
    ("insert into customers (id, name, email, ssn) values (9, 'New', 'new@example.com', '1') returning id",
     (), [(9,)]),
    ("insert into customers (id, name, email, ssn) values (1, 'Ada', 'x@example.com', '2') "
     "on conflict (id) do update set email = excluded.email, ssn = excluded.ssn returning name", (),
     [("Ada",)]),
    ("update customers set email = %s, salary = 1 where id = 3 returning id, name",
     ("cid@example.com",), [(3, "Cid")]),
    ("delete from orders where id = 3 returning note", (), [("third",)]),
    ("insert into orders select 10 + id, id, 1, name from customers where id = 2 returning note", (),
     [("Bob",)]),
    ("merge into orders o using customers c on c.id = o.customer_id and o.id = 1 when matched then "
     "update set note = c.name", (), None),
]


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
@pytest.mark.parametrize("prepare", [False, True], ids=["once", "prepared"])
@pytest.mark.parametrize("sql, values, wanted", EVERYDAY, ids=[one[0][:50] for one in EVERYDAY])
def test_everyday_statements_work(reader, sql, values, wanted, prepare, binary):
    if sql.startswith("merge") and MAJOR < 15:
        pytest.skip("MERGE came with 15")
    with reader.transaction(force_rollback=True):
        for _ in range(2 if wanted and sql.startswith("select") else 1):
            cursor = reader.cursor(binary=binary)
            cursor.execute(sql, values or None, prepare=prepare)
            if wanted is not None:
                assert cursor.fetchall() == wanted


def test_temporary_tables_hold_what_was_shown(reader):
    reader.execute("create temp table mine as select id, email from customers")
    assert reader.execute("select email from mine where id = 2").fetchone() == ("b**@e******.org",)
    reader.execute("insert into mine values (7, 'given@example.com')")
    assert reader.execute("select email from mine where id = 7").fetchone() == ("given@example.com",)
    reader.execute("drop table mine")
    # A name that everybody has is not taken for the session's own: a rollback gives it back.
    reader.execute("create temp table orders (id int)")
    reader.execute("create temp table customers (email text)")
    assert reader.execute("select * from pg_temp.customers").fetchall() == []
    assert reader.execute("select email from customers where id = 2").fetchall() == [
        ("b**@e******.org",)]


def test_cursors_copy_and_pipelines(reader):
    with reader.transaction():
        with reader.cursor(name="some") as cursor:
            cursor.execute("select email from customers order by id")
            assert cursor.fetchmany(1) == [("a***********@e******.com",)]
            assert cursor.fetchall() == [("b**@e******.org",), (None,)]
    with reader.cursor() as cursor:
        with cursor.copy("copy customers (id, email) to stdout") as copy:
            assert list(copy.rows()) == [("1", "a***********@e******.com"),
                                         ("2", "b**@e******.org"), ("3", None)]
        with cursor.copy("copy (select mail from mails) to stdout (format binary)") as copy:
            assert b"lovelace" not in b"".join(copy)
    with reader.pipeline():
        cursors = [reader.execute("select email from customers where id = %s", (1 + i % 2,))
                   for i in range(20)]
    assert [cursor.fetchone()[0] for cursor in cursors][:2] == [
        "a***********@e******.com", "b**@e******.org"]
    reader.execute("prepare p (int) as select email from customers where id = $1")
    assert reader.execute("execute p(2)").fetchone() == ("b**@e******.org",)
    with reader.transaction(force_rollback=True), reader.cursor() as cursor:
        with cursor.copy("copy customers (id, name, ssn) from stdin") as copy:
            copy.write_row((50, "Fifty", "050"))
        assert cursor.execute("select name, ssn from customers where id = 50").fetchone() == (
            "Fifty", "****")


def test_a_statement_without_masked_columns_plans_as_it_would(lab, reader):
    with lab.direct() as direct:
        direct.execute("analyze customers")
        direct.execute("set enable_seqscan = off")
        reader.execute("set enable_seqscan = off")
        for sql in ("select o.note from orders o where o.id = 1", "select note from orders, named"):
            assert reader.execute("explain " + sql).fetchall() == \
                direct.execute("explain " + sql).fetchall()
        # And with them the index on what is not masked is used.
        plan = str(reader.execute("explain select * from customers where id = 2").fetchall())
        assert "Index Scan using customers_pkey" in plan
        plan = str(reader.execute("explain select c.email from orders o join customers c "
                                  "on c.id = o.customer_id where o.id = 1").fetchall())
        assert "customers_pkey" in plan and "orders_pkey" in plan


# ---- Refusals and the ledger --------------------------------------------------------------------

def test_a_refusal_says_which_column_and_why(reader):
    for sql, words in (
            ("update customers set name = email", "customers.email is masked for you (pii.email)"),
            ("update customers set name = 'x' returning *", "whole rows of customers"),
            ("insert into orders (id, note) select 77, email from customers", "masked values cannot"),
            ("alter table customers drop column email", "the definition of customers"),
            ("select * from pg_stats", "pg_stats tells values of the data"),
            ("do 'begin end'", "do is not possible")):
        with pytest.raises(psycopg.errors.InsufficientPrivilege) as refused:
            reader.execute(sql)
        assert words in str(refused.value), sql
        assert reader.execute("select 1").fetchone() == (1,)


def test_the_ledger_has_what_was_asked_and_what_was_executed(lab, reader):
    asked = "select email as for_the_ledger from customers where id = 1"
    reader.execute(asked)
    record = [r for r in lab.records() if r["kind"] == "command"
              and r["data"]["command"]["text"] == asked][-1]["data"]["command"]
    assert '"public"."customers"' in record["executed"] and "for_the_ledger" in record["executed"]
    assert {"action": "reveal", "type": "Column", "resource": "lab/lab/public/customers/email",
            "effect": "partial (pii.email)"} in record["safeguards"]
    plain = "select note as for_the_ledger from orders where id = 1"
    reader.execute(plain)
    record = [r for r in lab.records() if r["kind"] == "command"
              and r["data"]["command"]["text"] == plain][-1]["data"]["command"]
    assert "executed" not in record and "safeguards" not in record


def test_the_ledger_has_the_text_of_a_prepared_statement_once(lab, reader):
    asked = "select email as prepared_for_the_ledger from customers where id = %s"
    for number in (1, 2):
        reader.execute(asked, (number,), prepare=True)
    records = [r["data"]["command"] for r in lab.records() if r["kind"] == "command"
               and "prepared_for_the_ledger" in r["data"]["command"]["text"]]
    assert [r["kind"] for r in records] == ["prepare", "execute", "execute"]
    assert '"public"."customers"' in records[0]["executed"]
    digest = hashlib.sha256(records[0]["executed"].encode()).hexdigest()
    for run in records[1:]:
        assert run["executed_sha256"] == digest and "executed" not in run
        assert run["safeguards"] == records[0]["safeguards"]


def test_errors_name_no_values(lab, reader):
    with pytest.raises(psycopg.Error) as failed:
        reader.execute("update customers set name = null where id = 1")
    assert failed.value.sqlstate == "23502" and failed.value.diag.message_detail is None
    assert "Ada" not in str(failed.value) and "078" not in str(failed.value)
    with lab.connect("admin") as admin, pytest.raises(psycopg.Error) as failed:
        admin.execute("update customers set name = null where id = 1")
    assert "078-05-1120" in failed.value.diag.message_detail


# ---- Changes behind the back of a session -------------------------------------------------------

@pytest.fixture
def own_lab():
    made = MaskLab(SQL, PROTECTION)
    yield made
    made.remove()


def test_a_reload_reaches_prepared_statements(own_lab):
    lab = own_lab
    with lab.connect("reader") as reader:
        sql = "select name, email from customers where id = %s"
        for _ in range(3):
            assert reader.execute(sql, (2,), prepare=True).fetchone() == ("Bob", "b**@e******.org")
        lab.write_config(PROTECTION.replace("masks:", '  "*.customers.name": pii.name\nmasks:'))
        lab.process.send_signal(1)
        deadline = time.monotonic() + 30
        while "reloaded" not in lab.output() and time.monotonic() < deadline:
            time.sleep(0.05)
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            reader.execute(sql, (2,), prepare=True)
        assert reader.execute(sql + " ", (2,)).fetchone() == ("****", "b**@e******.org")


def test_new_tables_are_seen_and_renamed_ones_stay_masked(own_lab):
    lab = own_lab
    with lab.connect("reader") as reader, lab.connect("admin") as admin, lab.direct() as direct:
        assert reader.execute("select email from customers where id = 2").fetchone()[0] != "bob@example.org"
        admin.execute("create table fresh (id int, email text)")  # seen as it passes
        admin.execute("insert into fresh values (1, 'clear@example.com')")
        assert reader.execute("select email from fresh").fetchone() == ("clear@example.com",)
        direct.execute("create table beside (id int)")  # not seen, but looked for
        time.sleep(1.1)
        assert reader.execute("select count(*) from beside").fetchone() == (0,)
        admin.execute("alter table customers rename to people")
        assert reader.execute("select email from people where id = 2").fetchone() == (
            "b**@e******.org",)
        admin.execute("alter table people rename column email to address")
        assert reader.execute("select address from people where id = 2").fetchone() == (
            "b**@e******.org",)
        admin.execute("drop table fresh")
        with pytest.raises(psycopg.errors.UndefinedTable):
            reader.execute("select * from fresh")


def test_a_table_that_changed_its_name_in_secret_shows_nothing(own_lab):
    """The catalog is old, so the statement is sent as it is: the second look ends the session."""
    lab = own_lab
    with lab.connect("reader") as reader, lab.direct() as direct:
        reader.execute("select note from orders")
        direct.execute("alter table orders rename to gone")
        direct.execute("alter table customers rename to orders")
        with pytest.raises(psycopg.OperationalError) as ended:
            reader.execute("select ssn as note from orders")
        assert "078-05-1120" not in str(ended.value) and reader.closed
    assert "a masked column was about to be shown" in lab.output()
    assert "sallyport_alerts_total 1" in lab.metrics()
    alert = [r for r in lab.records() if "a masked column" in str(r)]
    assert [one["kind"] for one in alert] == ["gateway", "session_end"] and alert[0]["session"]


def test_databases_can_be_dropped_and_made_again(own_lab):
    lab = own_lab
    with lab.connect("reader") as reader:
        reader.execute("select email from customers")
    with lab.target.connect("postgres") as admin:
        started = time.monotonic()
        deadline = started + 10
        while True:  # the gateway's warm connection goes within its own few seconds
            try:
                admin.execute("drop database lab")
                break
            except psycopg.errors.ObjectInUse:
                assert time.monotonic() < deadline
                time.sleep(0.2)
        admin.execute("create database lab owner gateway")
    with lab.direct() as direct:
        direct.execute("create table customers (ssn text, email text); "
                       "insert into customers values ('123-45-6789', 'someone@example.net')")
    deadline = time.monotonic() + 20
    with lab.connect("reader") as reader:
        while True:
            try:
                row = reader.execute("select ssn, email from customers").fetchone()
                break
            except psycopg.Error as error:
                assert time.monotonic() < deadline, error
                time.sleep(1.1)
        assert row == ("****", "s******@e******.net")


def test_without_a_catalog_nothing_is_read(tmp_path):
    made = MaskLab(SQL, PROTECTION)
    try:
        with made.target.connect() as admin:
            admin.execute("revoke execute on function pg_get_viewdef(oid) from public")
        with made.connect("reader") as reader:
            with pytest.raises(psycopg.Error) as refused:
                reader.execute("select id from customers")
            assert refused.value.sqlstate == "57P03" and "what to mask" in str(refused.value)
            reader.execute("begin")
            reader.execute("rollback")
        assert "catalog not read" in made.output()
    finally:
        made.remove()


# ---- The key of hashes --------------------------------------------------------------------------

def test_the_key_of_hashes_cannot_be_read(lab):
    key = (lab.folder / "data/mask.key").read_text().strip()
    assert len(key) == 64
    tries = ["show sallyport.mask_key", 'show "sallyport"."mask_key"', "SHOW SALLYPORT.MASK_KEY",
             "select current_setting('sallyport.mask_key')",
             "select pg_catalog.current_setting('sallyport.' || 'mask_key')",
             "select current_setting(n) from (values ('sallyport.mask_key')) v(n)",
             "select * from pg_settings where name like 'sallyport%'", "show all",
             "select * from pg_show_all_settings()", "select * from pg_file_settings",
             "select set_config('sallyport.mask_key', repeat('0', 64), false)",
             "set sallyport.mask_key = 'x'", "reset sallyport.mask_key",
             "select set_config(n, 'x', false) from (values ('sallyport.mask_key')) v(n)",
             "explain verbose select ssn from customers",
             "select * from pg_stat_activity", "select pg_read_file('postgresql.conf')"]
    for who in ("reader", "clerk"):
        with lab.connect(who) as connection:
            for sql in tries:
                try:
                    got = str(connection.execute(sql).fetchall())
                except psycopg.Error as error:
                    got = str(error)
                assert key not in got, (who, sql)
    assert key not in lab.output()


def until(ask, wanted):
    """New policies are in force a moment after the signal."""
    end = time.monotonic() + 20
    while (got := ask()) != wanted:
        assert time.monotonic() < end, got
        time.sleep(0.05)


@pytest.mark.parametrize("prepare", [False, True])
def test_new_policies_change_what_an_open_session_sees_of_a_statement_it_has_run(lab, prepare):
    more = lab.folder / "policies/more.cedar"
    with lab.connect("reader", prepare_threshold=0 if prepare else None) as connection, \
            lab.connect("admin") as admin:
        texts = 0  # a driver that is told to prepare again does so for another text

        def ask(number=2, by=connection):
            query = f"select email from customers where id = {number}" + " " * texts
            return by.execute(query).fetchone()[0]

        def ask_again():
            nonlocal texts
            try:
                return ask()
            except psycopg.errors.FeatureNotSupported:  # "prepare it again"
                texts += 1
                return None

        for _ in range(3):
            assert [ask(1), ask(2)] == ["a***********@e******.com", "b**@e******.org"]
            assert ask(2, admin) == "bob@example.org"
        more.write_text('@id("readers-see") permit (principal in Group::"readers", '
                        'action == Action::"reveal", resource);')
        lab.process.send_signal(signal.SIGHUP)
        until(ask_again, "bob@example.org")
        assert ask(1) == "ada.lovelace@example.com"
        more.unlink()
        lab.process.send_signal(signal.SIGHUP)
        until(ask_again, "b**@e******.org")
        assert [ask(1), ask(2, admin)] == ["a***********@e******.com", "bob@example.org"]


@pytest.mark.parametrize("prepare", [False, True])
def test_what_may_be_seen_until_a_time_is_masked_behind_it(lab, prepare):
    until_then = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=6)
    more = lab.folder / "policies/more.cedar"
    query = "select email from customers where id = 2"
    with lab.connect("reader", prepare_threshold=0 if prepare else None) as connection:

        def ask():
            try:
                return connection.execute(query + " and true", prepare=False).fetchone()[0]
            except psycopg.errors.InsufficientPrivilege:  # "the policies changed ..., try again"
                return None

        more.write_text('@id("readers-see-for-now") permit (principal in Group::"readers", '
                        'action == Action::"reveal", resource) when { context.now < datetime("'
                        + until_then.strftime("%Y-%m-%dT%H:%M:%SZ") + '") };')
        try:
            lab.process.send_signal(signal.SIGHUP)
            until(ask, "bob@example.org")
            for _ in range(5):  # were it remembered, it would be by now
                assert connection.execute(query).fetchone()[0] == "bob@example.org"
            time.sleep(max(0, until_then.timestamp() - time.time()) + 0.1)
            if prepare:  # what was prepared would show values
                with pytest.raises(psycopg.errors.FeatureNotSupported):
                    connection.execute(query)
            else:
                assert connection.execute(query).fetchone()[0] == "b**@e******.org"
        finally:
            more.unlink()
            lab.process.send_signal(signal.SIGHUP)


def test_the_same_text_means_what_the_search_path_says(lab, reader):
    with lab.connect("admin") as admin:  # through the gateway, which then knows at once
        admin.execute("create schema plain")
        admin.execute("create table plain.customers (id int, email text)")
        admin.execute("insert into plain.customers values (2, 'plain@example.org')")
    query = "select email from customers where id = 2"
    for _ in range(3):
        assert reader.execute(query).fetchone()[0] == "b**@e******.org"
    reader.execute("set search_path = plain, public")
    assert reader.execute(query).fetchone()[0] == "p****@e******.org"
    reader.execute("set search_path = public, plain")
    assert reader.execute(query).fetchone()[0] == "b**@e******.org"
    with lab.connect("admin") as admin:
        admin.execute("drop schema plain cascade")
