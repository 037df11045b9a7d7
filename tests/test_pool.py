"""Warm server connections: what one session did, the next one on the same connection does not see;
and whatever happens to an idle connection, no client gets an error for it."""

import os
import random
import re
import signal
import ssl
import threading
import time
import urllib.request

import psycopg
import pytest
from own_postgres import OwnPostgres
from raw_client import RawClient, parse, query

ALL = '@id("all") permit (principal, action, resource);'


class Lab:
    """A demo with a second connection, `lab`, to a PostgreSQL of its own."""

    def __init__(self, start_demo, folder, pool, postgres):
        self.postgres = postgres
        policies = folder / "policies"
        policies.mkdir()
        (policies / "all.cedar").write_text(ALL)
        config = folder / "over.yaml"
        config.write_text(f"""
log: {{level: debug}}
workers: 1
connections:
  lab:
    host: 127.0.0.1
    port: {postgres.port}
    databases: [lab, other]
    tls: {{mode: disable}}
    credential: {{user: gateway, password: none}}
    pool: {pool}
""")
        self.demo = start_demo("--config", str(config), "--policies", str(policies))

    def connect(self, user="alice", database="lab", **options):
        return psycopg.connect(self.demo.dsn(user), dbname=database, autocommit=True, **options)

    def pid(self, **options):
        """Of the server process that a session gets; the session is over, and its connection reset,
        when this returns."""
        before = self.metric("in_use")
        with self.connect(**options) as connection:
            pid = connection.execute("select pg_backend_pid()").fetchone()[0]
        self.wait("in_use", before)
        return pid

    def metric(self, name, **labels):
        admin = self.demo.ready["admin"]["url"] if isinstance(self.demo.ready["admin"], dict) \
            else self.demo.ready["admin"]
        context = ssl.create_default_context(cafile=self.demo.ready["ca_file"])
        text = urllib.request.urlopen(admin + "/metrics", context=context).read().decode()
        total = 0.0
        for line in text.splitlines():
            found = re.match(r"(\w+)\{(.*)\} (\S+)$", line)
            if found and found[1] == "sallyport_server_connections_" + name:
                have = dict(re.findall(r'(\w+)="([^"]*)"', found[2]))
                if all(have.get(key) == value for key, value in labels.items()) and \
                        have["connection"] == "lab":
                    total += float(found[3])
        return total

    def wait(self, name, value, **labels):
        for _ in range(100):
            if self.metric(name, **labels) == value:
                return
            time.sleep(0.05)
        raise AssertionError(f"{name} {labels} is {self.metric(name, **labels)}, not {value}")


@pytest.fixture(scope="module")
def postgres():
    one = OwnPostgres(["max_connections=60", "log_min_messages=warning", "max_prepared_transactions=5"])
    with one.connect("postgres") as admin:
        admin.execute("create role gateway login")
        admin.execute("create database lab owner gateway")
    yield one
    one.remove()


@pytest.fixture
def lab(start_demo, tmp_path, postgres):
    return Lab(start_demo, tmp_path, "{server_idle_s: 30}", postgres)


# What a session can do to a server connection, and the query by which the next one would see it.
# None: it must be as on a connection that nobody has used.
CANARIES = {
    "set": ("set work_mem = '1234kB'", "show work_mem"),
    "set_datestyle": ("set datestyle = 'German'", "show datestyle"),
    "search_path": ("set search_path = pg_catalog", "show search_path"),
    "isolation": ("set session characteristics as transaction isolation level serializable",
                  "show transaction_isolation"),
    "encoding": ("set client_encoding = 'UTF8'", "show client_encoding"),
    "custom": ("set canary.left = 'secret'", "select current_setting('canary.left', true)"),
    "custom_local": ("begin; set local canary.left = 'secret'; commit",
                     "select current_setting('canary.left', true)"),
    "set_config": ("select set_config('canary.left', 'secret', false)",
                   "select current_setting('canary.left', true)"),
    "function": ("select public.leave_canary()", "select current_setting('canary.left', true)"),
    "role": ("set role canary_role", "select current_user, current_setting('role')"),
    "temporary": ("create temp table canary (x int)",
                  "select to_regclass('canary'), pg_my_temp_schema()"),
    "prepare": ("prepare canary as select 1", "select count(*) from pg_prepared_statements"),
    "cursor": ("begin; declare canary cursor with hold for select 1; commit",
               "select count(*) from pg_cursors"),
    "listen": ("listen canary", "select count(*) from pg_listening_channels()"),
    "lock": ("select pg_advisory_lock(4711)",
             "select count(*) from pg_locks where locktype = 'advisory'"),
    "lock_shared": ("select pg_advisory_lock_shared(4711)",
                    "select count(*) from pg_locks where locktype = 'advisory'"),
    "sequence": ("select nextval('public.numbers')", "select lastval()"),
    "random": ("select setseed(0.25)", "select random()"),
    "large_object": ("begin; select lo_open(lo_create(0), 131072); commit",
                     "select count(*) from pg_locks where locktype = 'object'"),
    "notify": ("listen canary; notify canary, 'x'", "select count(*) from pg_listening_channels()"),
    "session_authorization": ("set session authorization gateway", "select session_user"),
    "label": ("set application_name = 'canary'", "select count(*) from pg_stat_activity "
                                                 "where application_name like 'canary%'"),
    "none": ("select 1", "select 1"),
}


def look(connection, sql):
    try:
        return connection.execute(sql).fetchall()
    except psycopg.Error as error:
        return error.sqlstate


@pytest.fixture
def canary_objects(postgres):
    with postgres.connect() as admin:
        admin.execute("""
create sequence if not exists public.numbers; grant all on public.numbers to public;
create or replace function public.leave_canary() returns text language sql
  as $$ select set_config('canary.left', 'secret', false) $$;
do $$ begin create role canary_role; exception when duplicate_object then null; end $$;
grant canary_role to gateway;""")


def test_nothing_of_a_session_is_seen_by_the_next(lab, canary_objects):
    seed = int(os.environ.get("SALLYPORT_SEED", random.randrange(1 << 32)))
    print("SALLYPORT_SEED =", seed)
    dice = random.Random(seed)
    with lab.connect() as fresh:
        expected = {name: look(fresh, probe) for name, (_, probe) in CANARIES.items()}
        fresh.execute("set canary.taints = '1'")  # this connection is not to be used again
    before = lab.metric("reused_total")
    rounds = int(os.environ.get("SALLYPORT_ROUNDS", 60))
    for _ in range(rounds):
        chosen = dice.sample(sorted(CANARIES), dice.randrange(1, 4))
        with lab.connect(dice.choice(["alice", "dana"])) as first:
            for name in chosen:
                for statement in CANARIES[name][0].split("; "):
                    try:
                        first.execute(statement, prepare=dice.random() < 0.3)
                    except psycopg.Error:
                        pass  # refused: then there is nothing to see either
        with lab.connect("sam") as second:
            for name in dice.sample(sorted(CANARIES), len(CANARIES)):
                seen = look(second, CANARIES[name][1])
                if name == "random":
                    assert seen != [(0.6404664823321303,)], chosen
                    continue
                assert seen == expected[name], (seed, chosen, name)
            assert second.pgconn.notifies() is None, (seed, chosen)
    # The test would show nothing if every session had a connection of its own.
    assert lab.metric("reused_total") - before > rounds / 4
    assert lab.metric("discarded_total", reason="state") > 0


def test_random_goes_on_from_nowhere_the_session_before_knows(lab):
    seen = set()
    pids = set()
    for _ in range(5):
        with lab.connect() as one:
            pids.add(one.execute("select pg_backend_pid()").fetchone()[0])
            seen.add(one.execute("select random()").fetchone()[0])
            one.execute("select setseed(0.5)")
        lab.wait("idle", 1)
    assert len(pids) == 1 and len(seen) == 5


def test_the_label_is_of_the_session_and_comes_back(lab, postgres):
    labels = set()
    with postgres.connect() as admin:
        def label(pid):
            return admin.execute("select application_name from pg_stat_activity where pid = %s",
                                 (pid,)).fetchone()[0]
        for user in ("alice", "dana"):
            with lab.connect(user) as one:
                pid = one.execute("select pg_backend_pid()").fetchone()[0]
                first = label(pid)
                assert first.startswith("sallyport ") and first.endswith(" " + user)
                labels.add(first)
                for change in ("set application_name = 'x'", "reset application_name", "reset all",
                               "discard all", "begin; reset all; commit",
                               "begin; reset all; rollback"):
                    for statement in change.split("; "):
                        one.execute(statement)
                    assert one.execute("select 1", prepare=False).fetchone() == (1,)
                    assert label(pid) == first, change
            lab.wait("idle", 1)
    assert len(labels) == 2
    assert lab.metric("reused_total") == 1


def test_only_the_very_same_login_is_shared(lab):
    pid = lab.pid()
    assert lab.pid() == pid
    assert lab.pid(user="dana") == pid
    assert lab.pid(options="-c timezone=UTC") != pid
    assert lab.pid(options="-c timezone=UTC") != lab.pid(options="-c timezone=Asia/Tokyo")


@pytest.mark.parametrize("end", ["transaction", "failed", "copy", "running", "portal", "cancelled",
                                 "function", "temporary"])
def test_a_session_that_does_not_end_clean_takes_its_connection_along(lab, canary_objects, end):
    before = lab.pid()
    with RawClient(lab.demo, "dana", database="lab") as client:
        assert client.ask("select pg_backend_pid()")[1] == f"D:{before}"
        if end == "transaction":
            client.ask("begin")
        elif end == "failed":
            client.ask("begin")
            client.ask("select 1/0")
        elif end == "copy":
            client.ask("create table if not exists copied (x int)")
            client.send(query("copy copied from stdin"))
            client.until("G")
        elif end == "running":
            client.send(query("select pg_sleep(60)"))
            time.sleep(0.3)
        elif end == "portal":
            client.send(parse("", "select 1"))
            time.sleep(0.3)
        elif end == "cancelled":
            client.send(query("select pg_sleep(60)"))
            time.sleep(0.3)
            client.cancel()
            assert "E:57014" in client.until()
        elif end == "function":
            client.ask("select public.leave_canary()")
        elif end == "temporary":
            client.ask("create temp table x (y int)")
    lab.wait("in_use", 0)
    assert lab.pid() != before


def test_a_late_cancel_never_hits_the_next_session(lab):
    """Clients that cancel all the time, also after they have left, beside clients that do not."""
    stop = threading.Event()
    hit = []

    def innocent():
        while not stop.is_set():
            with lab.connect("alice") as one:
                try:
                    one.execute("select pg_sleep(0.01)")
                    one.execute("select 1")
                except psycopg.errors.QueryCanceled as error:
                    hit.append(error)

    def canceller():
        while not stop.is_set():
            client = RawClient(lab.demo, "dana", database="lab")
            client.send(query("select pg_sleep(0.002)"))
            threads = [threading.Thread(target=client.cancel) for _ in range(3)]
            for thread in threads:
                thread.start()
            client.until()
            client.say_goodbye()
            client.cancel()
            for thread in threads:
                thread.join()

    threads = [threading.Thread(target=one) for one in [innocent] * 4 + [canceller] * 3]
    for thread in threads:
        thread.start()
    time.sleep(8)
    stop.set()
    for thread in threads:
        thread.join()
    assert not hit
    assert lab.metric("reused_total") > 20
    assert lab.metric("discarded_total", reason="cancel") > 5


def test_dead_connections_are_noticed_before_the_client_has_said_anything(lab, postgres):
    many = [lab.connect() for _ in range(8)]
    for one in many:
        one.execute("select 1")
        one.close()
    lab.wait("idle", 8)
    postgres.stop("fast")
    postgres.start()
    for _ in range(8):
        assert lab.pid() > 0
    assert lab.metric("discarded_total", reason="dead") == 8

    with postgres.connect() as admin:
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity "
                      "where usename = 'gateway'")
    assert lab.pid() > 0


def test_a_server_that_stops_answering_during_the_reset(lab, postgres):
    """The session's end is recorded all the same, and its connection is not used."""
    with lab.connect() as one:
        pid = one.execute("select pg_backend_pid()").fetchone()[0]
        os.kill(pid, signal.SIGSTOP)
    try:
        lab.wait("in_use", 0)
        lab.wait("idle", 0)
        assert lab.metric("discarded_total", reason="check") == 1
        assert lab.pid() != pid
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_warm_connection_that_hangs_costs_two_seconds_and_no_error(lab):
    pid = lab.pid()
    lab.wait("idle", 1)
    os.kill(pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        assert lab.pid() != pid
        assert time.monotonic() - started < 6
    finally:
        os.kill(pid, signal.SIGCONT)


def test_idle_connections_are_closed_in_time_and_drop_database_works(start_demo, tmp_path, postgres):
    lab = Lab(start_demo, tmp_path, "{}", postgres)
    with postgres.connect() as admin:
        admin.execute("create database other")
        assert lab.pid(database="lab/other") > 0
        lab.wait("idle", 1)
        admin.execute("drop database other")  # waits for five seconds at most
    lab.wait("idle", 0)
    assert lab.metric("discarded_total", reason="idle") == 1


def test_drop_database_through_the_gateway_finds_nobody_in_its_way(lab, postgres):
    with postgres.connect() as admin:
        admin.execute("create database other owner gateway")
    assert lab.pid(database="lab/other") > 0
    lab.wait("idle", 1)
    with lab.connect("dana") as dana:
        dana.execute("drop database other")
    assert lab.metric("discarded_total", reason="let go") == 1


def test_the_queue_is_first_come_first_served_and_ends_in_53300(start_demo, tmp_path, postgres):
    lab = Lab(start_demo, tmp_path, "{max: 2, wait_s: 2, server_idle_s: 30}", postgres)
    one, two = lab.connect(), lab.connect("dana")
    started = time.monotonic()
    with pytest.raises(psycopg.OperationalError) as refused:
        lab.connect("sam")
    assert 1.5 < time.monotonic() - started < 6
    assert "no server connection became free within 2 s" in str(refused.value)
    with RawClient(lab.demo, "sam", log_in=False, database="lab") as raw:
        raw.read()
        raw.send_password()
        assert raw.until("E")[-1] == "E:53300"

    pid = one.execute("select pg_backend_pid()").fetchone()[0]
    got = []

    def wait():
        with lab.connect("sam") as third:
            got.append(third.execute("select pg_backend_pid()").fetchone()[0])

    waiting = threading.Thread(target=wait)
    waiting.start()
    lab.wait("waiting", 1)
    one.close()
    waiting.join()
    assert got == [pid]  # handed on, warm

    # A waiter of another kind gets the place of one that is idle.
    lab.wait("idle", 1)
    assert lab.pid(options="-c timezone=UTC") != pid
    two.close()
    with postgres.connect() as admin:
        for _ in range(100):
            if admin.execute("select count(*) from pg_stat_activity where usename = 'gateway'"
                             ).fetchone()[0] <= 2:
                break
            time.sleep(0.05)
        else:
            pytest.fail("more connections than pool.max")


def test_lifetime_reload_and_reuse_off(start_demo, tmp_path, postgres):
    lab = Lab(start_demo, tmp_path, "{server_lifetime_s: 1, server_idle_s: 30}", postgres)
    pid = lab.pid()
    time.sleep(1.5)
    assert lab.pid() != pid
    assert lab.metric("discarded_total", reason="lifetime") >= 1

    config = tmp_path / "over.yaml"
    config.write_text(config.read_text().replace("server_lifetime_s: 1", "server_lifetime_s: 100"))
    lab.demo.process.send_signal(signal.SIGHUP)
    for _ in range(100):
        if "reloaded" in lab.demo.output():
            break
        time.sleep(0.05)
    pid = lab.pid()
    assert lab.pid() == pid

    folder = tmp_path / "off"
    folder.mkdir()
    off = Lab(start_demo, folder, "{reuse: false}", postgres)
    assert len({off.pid() for _ in range(3)}) == 3
    with off.connect() as one:
        label = "select application_name from pg_stat_activity where pid = pg_backend_pid()"
        assert one.execute(label).fetchone()[0].endswith("alice")


def test_languages_with_state_of_their_own_are_not_pooled(lab, postgres):
    """PL/Perl's %_SHARED and the like: no statement resets them. dblink stands for them here."""
    with postgres.connect() as admin:
        admin.execute("create extension dblink")
        try:
            pid = lab.pid()
            lab.wait("in_use", 0)
            assert lab.pid() != pid
            assert "extensions 1" in lab.demo.output()
        finally:
            admin.execute("drop extension dblink")
