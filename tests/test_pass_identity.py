"""The target knows who a session is for, and no client can make it believe another: the six ways to
undo a SET ROLE or a setting from inside, on a real PostgreSQL with row-level security."""

import base64
import hashlib
import hmac
import json
import subprocess
import time

import psycopg
import pytest
from agents import Admin, dsn
from conftest import BINARY, Demo
from own_postgres import OwnPostgres

KEY = "0123456789abcdef0123456789abcdef0123456789abcdef"
MORE = """\
connections:
  persona:
    host: 127.0.0.1
    port: {port}
    database: lab
    tls: {{mode: disable}}
    credential: {{user: app, password: "file:{folder}/app.secret"}}
    pass_identity: {{key: "file:{folder}/context.key"}}
  owner:
    host: 127.0.0.1
    port: {port}
    database: lab
    tls: {{mode: disable}}
    credential: {{user: reporting, password: "file:{folder}/app.secret"}}
"""
# The gateway's own refusals are no part of this test: everybody may do everything.
POLICIES = '@id("all") permit (principal, action, resource);\n'
SETUP = """\
create role app login;
create role reporting login;
create role boss;
grant boss to app;
create table notes (owner text, text text);
insert into notes values ('alice', 'of alice'), ('bob', 'of bob');
alter table notes enable row level security;
create policy own on notes using (owner = sallyport.context()->>'sub');
grant select, insert on notes to app;
create table trail (by text, act jsonb, what text);
grant insert, select on trail to app;
create function note_it() returns trigger language plpgsql as $$ begin
  insert into trail values (sallyport.context()->>'sub', sallyport.context()->'act', new.text);
  return new;
end $$;
create trigger noted after insert on notes for each row execute function note_it();
"""


class Shop:
    def __init__(self, folder):
        self.postgres = OwnPostgres()
        (folder / "policies").mkdir()
        (folder / "policies/10.cedar").write_text(POLICIES)
        for name, text in (("context.key", KEY), ("app.secret", "unused")):
            (folder / name).write_text(text + "\n")
        self.more = folder / "more.yaml"
        self.more.write_text(MORE.format(port=self.postgres.port, folder=folder))
        with self.postgres.connect("postgres") as admin:
            admin.execute("create database lab")
        self.demo = Demo(folder, "--policies", str(folder / "policies"), "--config", str(self.more))
        # As an administrator does it, with the configuration that the gateway has.
        config = folder / "whole.yaml"
        config.write_text(f"data: {folder}/data\nlisteners: {{postgres: {{port: 6432}}, "
                          f"admin: {{port: 6480}}}}\nbuiltin_issuer: {{users: {{a: {{password: x}}}}}}\n"
                          f"policies: {folder}/policies\n" + self.more.read_text())
        sql = subprocess.run([BINARY, "postgres", "install-context", "--config", str(config),
                              "--connection", "persona"], capture_output=True, text=True, timeout=60)
        assert sql.returncode == 0, sql.stderr
        self.sql = sql.stdout
        with self.postgres.connect() as admin:
            admin.execute(self.sql)
            admin.execute(self.sql)  # again: nothing changes
            admin.execute(SETUP)
        self.admin = Admin(self.demo.ready["admin"]["url"], self.demo.ready["ca_file"])

    def token(self, name):
        return self.demo.ready["users"][name]["token"]

    def connect(self, name, token=None, connection="persona"):
        return psycopg.connect(dsn(self.demo.ready["postgres"]["port"], name,
                                   token or self.token(name), self.demo.ready["ca_file"],
                                   connection), autocommit=True)

    def stop(self):
        self.demo.stop()
        self.postgres.remove()


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    one = Shop(tmp_path_factory.mktemp("persona"))
    yield one
    one.stop()


def context(session):
    return session.execute("select sallyport.context()").fetchone()[0]


def rows(session):
    return [row[0] for row in session.execute("select text from notes order by 1").fetchall()]


def test_row_level_security_and_triggers_know_who_it_is(shop):
    with shop.connect("alice") as alice, shop.connect("bob") as bob:
        assert rows(alice) == ["of alice"] and rows(bob) == ["of bob"]
        told = context(alice)
        assert told["sub"] == "alice" and told["act"] == [] and told["groups"] == ["support"]
        alice.execute("insert into notes values ('alice', 'more')")
    with shop.postgres.connect() as admin:
        assert admin.execute("select by from trail").fetchall() == [("alice",)]


def test_it_names_the_agents_too(shop):
    agent = shop.admin.agent_token(
        "support-copilot", shop.demo.ready["agents"]["support-copilot"]["client_secret"])
    _, body = shop.admin.exchange(shop.token("bob"), agent)
    with shop.connect("bob", body["access_token"]) as bob:
        assert context(bob)["act"] == ["support-copilot"]
        assert rows(bob) == ["of bob"]
        # Mode C: the label, in the target's own view of the session.
        with shop.postgres.connect() as admin:
            names = admin.execute("select application_name from pg_stat_activity").fetchall()
        assert any("bob via support-copilot" in name for name, in names)


def test_another_role_is_another_connection(shop):
    """Mode A: the credential is the gateway's, and the account is what the target decides by."""
    with shop.connect("alice", connection="owner") as alice:
        assert alice.execute("select session_user::text").fetchone() == ("reporting",)
        with pytest.raises(psycopg.Error):
            alice.execute("select * from notes")


ESCAPES = {
    "set": ["set sallyport.ctx = 'v1.k1.1.1.9999999999.7b7d.00'"],
    "set_config": ["select set_config('sallyport.ctx', 'x', false)"],
    "reset": ["reset sallyport.ctx"],
    "reset all": ["reset all"],
    "discard all": ["discard all"],
    "do block": ["do $$ begin perform set_config('sallyport.ctx', 'x', false); "
                 "execute 'reset role'; end $$"],
    "set local": ["begin", "set local sallyport.ctx = 'x'"],
    "another role": ["set role boss", "reset role"],
    "session authorization": ["set session authorization default"],
}


@pytest.mark.parametrize("name", ESCAPES)
def test_an_escape_leads_to_nobody(shop, name):
    """Whether the gateway lets it through or not: alice stays alice, or becomes nobody."""
    with shop.connect("alice") as alice:
        for statement in ESCAPES[name]:
            try:
                alice.execute(statement)
            except psycopg.Error:
                pass
        try:
            told = context(alice)
            seen = rows(alice)
        except psycopg.Error:
            return  # the session or the transaction is over
        assert told is None or told["sub"] == "alice"
        assert "of bob" not in seen
        if told is None:
            assert seen == []


def past_the_gateway(shop, value):
    """What the function says to `value` in a session of the role's own, past the gateway."""
    with psycopg.connect(host="127.0.0.1", port=shop.postgres.port, user="app", dbname="lab",
                         autocommit=True) as app:
        if callable(value):
            pid, started = app.execute(
                "select pg_backend_pid(), (extract(epoch from backend_start) * 1000000)::bigint "
                "from pg_stat_get_activity(pg_backend_pid())").fetchone()
            value = value(pid, started)
        app.execute("select set_config('sallyport.ctx', %s, false)", (value,))
        return app.execute("select sallyport.context()").fetchone()[0]


def forged(key=KEY, pid_off=0, started_off=0, ends_in=60, key_id="k1"):
    def make(pid, started):
        claims = json.dumps({"sub": "bob"}).encode().hex()
        text = f"v1.{key_id}.{pid + pid_off}.{started + started_off}.{int(time.time()) + ends_in}.{claims}"
        return text + "." + hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
    return make


def test_only_who_has_the_key_can_make_one(shop):
    # The test's own arithmetic is right, so what follows is refused for what is wrong in it.
    assert past_the_gateway(shop, forged()) == {"sub": "bob"}
    for wrong in ({"key": "another key, of no use here......"}, {"pid_off": 1}, {"started_off": 1},
                  {"ends_in": -1}, {"key_id": "k2"}):
        assert past_the_gateway(shop, forged(**wrong)) is None, wrong
    for value in ("", "x", ".......", "v1.k1.a.b.c.d.e", "v2" + "." * 6):
        assert past_the_gateway(shop, value) is None, value


def test_one_sessions_context_is_of_no_use_in_another(shop):
    with shop.connect("alice") as alice, shop.connect("bob") as bob:
        of_bob = bob.execute("select current_setting('sallyport.ctx')").fetchone()[0]
        try:
            alice.execute("select set_config('sallyport.ctx', %s, false)", (of_bob,))
        except psycopg.Error:
            pass
        told = context(alice)
        assert told is None or told["sub"] == "alice"
        assert past_the_gateway(shop, of_bob) is None
        # Nor with another name in it.
        part = of_bob.split(".")
        part[5] = json.dumps({"sub": "alice"}).encode().hex()
        assert past_the_gateway(shop, ".".join(part)) is None


def test_a_parallel_query_may_ask(shop):
    with shop.postgres.connect() as admin:
        admin.execute("create table crowd (owner text) with (parallel_workers = 2)")
        admin.execute("insert into crowd select 'bob' from generate_series(1, 20000)")
        admin.execute("analyze crowd")
        admin.execute("grant select on crowd to app")
    with psycopg.connect(host="127.0.0.1", port=shop.postgres.port, user="app", dbname="lab",
                         autocommit=True) as app:
        pid, started = app.execute(
            "select pg_backend_pid(), (extract(epoch from backend_start) * 1000000)::bigint "
            "from pg_stat_get_activity(pg_backend_pid())").fetchone()
        app.execute("select set_config('sallyport.ctx', %s, false)", (forged()(pid, started),))
        forced = "debug_parallel_query" if app.info.server_version >= 160000 else "force_parallel_mode"
        for setting, value in ((forced, "on"), ("parallel_setup_cost", "0"),
                               ("parallel_tuple_cost", "0"), ("min_parallel_table_scan_size", "0")):
            app.execute("select set_config(%s, %s, false)", (setting, value))
        query = "select sallyport.context()->>'sub', n from (select count(*) as n from crowd) c"
        plan = "\n".join(row[0] for row in app.execute("explain " + query).fetchall())
        assert "Gather" in plan, plan
        assert app.execute(query).fetchall() == [("bob", 20000)]
        query = "select count(*) from crowd where owner = sallyport.context()->>'sub'"
        assert app.execute(query).fetchall() == [(20000,)]
    with shop.postgres.connect() as admin:
        admin.execute("alter table crowd enable row level security")
        admin.execute("create policy own on crowd using (owner = (select sallyport.context()->>'sub'))")
    with psycopg.connect(host="127.0.0.1", port=shop.postgres.port, user="app", dbname="lab",
                         autocommit=True) as app:
        app.execute("select set_config(%s, 'on', false)", (forced,))
        assert app.execute("select count(*) from crowd").fetchall() == [(0,)]


@pytest.mark.parametrize("made", ["create schema sallyport authorization app",
                                  "create schema sallyport; create table sallyport.context_key (id text "
                                  "primary key, inner_pad bytea not null, outer_pad bytea not null); "
                                  "alter table sallyport.context_key owner to app",
                                  "create schema sallyport; create function sallyport.context() returns "
                                  "jsonb language sql as 'select null::jsonb'; "
                                  "alter function sallyport.context() owner to app"])
def test_it_is_not_installed_into_what_somebody_else_has_made(shop, made):
    with shop.postgres.connect("postgres") as admin:
        admin.execute("drop database if exists trap")
        admin.execute("create database trap")
    with shop.postgres.connect("trap") as admin:
        admin.execute(made)
        with pytest.raises(psycopg.errors.RaiseException, match="of app"):
            admin.execute(shop.sql)
        admin.execute("rollback")
        assert admin.execute("select count(*) from pg_catalog.pg_class where relname = 'context_key' and "
                             "relowner = 10").fetchone() == (0,)


def test_nobody_reads_the_key(shop):
    with shop.connect("alice") as alice:
        with pytest.raises(psycopg.Error):
            alice.execute("select * from sallyport.context_key")
    assert KEY not in shop.sql and KEY.encode().hex() not in shop.sql
    assert base64.b64encode(KEY.encode()).decode() not in shop.sql


def test_what_a_session_was_told_is_of_no_use_to_the_next(shop):
    """A server process that serves two sessions would believe the second what the first was told."""
    pids, last = set(), None
    for number, name in enumerate(("alice", "bob") * 5, 1):
        with shop.connect(name) as session:
            assert context(session)["sub"] == name
            pids.add(session.execute("select pg_backend_pid()").fetchone()[0])
            told = session.execute("select current_setting('sallyport.ctx')").fetchone()[0]
            if last:
                session.execute("select set_config('sallyport.ctx', %s, false)", (last,))
                assert context(session) is None and rows(session) == []
            last = told
        assert len(pids) == number


def test_what_is_not_configured_is_said(shop, tmp_path):
    done = subprocess.run([BINARY, "postgres", "install-context", "--config",
                           str(shop.more.parent / "whole.yaml"), "--connection", "owner"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "passes no identity on" in done.stderr
