"""Approve one thing, then do another: every way in which an approval is not for what is run, or a
vote is not for who votes, each on its own."""

import json
import os
import re
import signal
import subprocess
import threading
import time
import urllib.parse

import psycopg
import pytest
from agents import Admin
from conftest import BINARY, Demo
from local_issuer import LocalIssuer

AUDIENCE = "https://gateway.example.com"
APPROVED = """
when {
  context has approval && context.approval.kind == "statement" &&
  context.approval.boundHash == context.stmt.hash && context.approval.quorum >= 1 &&
  context.now < context.approval.expires
};
"""
POLICIES = f"""\
@id("all-connect") permit (principal, action == Action::"connect", resource);
@id("agents-act") permit (principal is Agent, action == Action::"act_for", resource);
@id("all-read") permit (principal, action in Action::"sql:read", resource);
@id("all-set") permit (principal, action == Action::"sql:set", resource);
@id("change") @approvers("dba, support") @ttl("10m") @mode("statement")
permit (principal in Group::"support", action in Action::"sql:write", resource in Connection::"shop")
{APPROVED}
@id("agents-change") @approvers("dba, support") @ttl("10m") @mode("statement")
permit (principal is Agent, action in Action::"sql:write", resource in Connection::"shop")
{APPROVED}
@id("hasty") @approvers("dba") @ttl("2s") @mode("statement")
permit (principal in Group::"hasty", action in Action::"sql:write", resource in Connection::"shop")
{APPROVED}
@id("migrations") @approvers("dba") @ttl("10m") @mode("list")
permit (principal in Group::"migrators", action in [Action::"sql:ddl", Action::"sql:write"],
  resource in Connection::"shop")
when {{ context has approval && context.approval.kind == "list" &&
  context.approval.boundHash == context.stmt.hash }};
@id("migrators-see") permit (principal in Group::"migrators", action in Action::"safeguard", resource);
@id("calls") permit (principal in Group::"support", action == Action::"sql:call", resource);
@id("dba-all") permit (principal in Group::"dba", action, resource);
@id("support-votes") permit (principal in Group::"support",
  action in [Action::"approve", Action::"reject"], resource);
@id("dba-votes-from-here") forbid (principal in Group::"far", action == Action::"approve", resource)
when {{ context.srcIp.isInRange(ip("127.0.0.0/8")) }};
"""
MORE = """\
approvals: {{wait_s: 60, pending_s: 10}}
issuers:
  - issuer: {url}
    name: company
    audience: {audience}
    access_token_typ: at+jwt
"""


class Shop:
    def __init__(self, folder):
        (folder / "policies").mkdir()
        self.policies = folder / "policies/10.cedar"
        self.policies.write_text(POLICIES)
        self.issuer = LocalIssuer()
        (folder / "more.yaml").write_text(MORE.format(url=self.issuer.url, audience=AUDIENCE))
        self.demo = Demo(folder, "--policies", str(folder / "policies"), "--config",
                         str(folder / "more.yaml"))
        self.admin = Admin(self.demo.ready["admin"]["url"], self.demo.ready["ca_file"])
        with psycopg.connect(self.demo.dsn("dana"), autocommit=True) as dana:
            dana.execute("create table notes (id int, text text)")
            dana.execute("create schema other")
            dana.execute("create table other.notes (id int, text text)")

    def stop(self):
        self.demo.stop()
        self.issuer.close()

    def user(self, name, *groups):
        """A token of the demo's own user, or of one of the company's with these groups."""
        if not groups:
            return self.demo.ready["users"][name]["token"]
        return self.issuer.token({"sub": name, "aud": AUDIENCE, "client_id": "cli",
                                  "scope": "db:read db:write", "groups": list(groups)})

    def via_copilot(self, token):
        agent = self.admin.agent_token(
            "support-copilot", self.demo.ready["agents"]["support-copilot"]["client_secret"])
        status, body = self.admin.exchange(token, agent)
        assert status == 200, body
        return body["access_token"]

    def dsn(self, token, name=None):
        name = name or self.admin.api("GET", "/api/v1/whoami", token)[1]["chain"][0]["id"]
        return (f"postgresql://{urllib.parse.quote(name, safe='')}%23jwt:{token}@127.0.0.1:"
                f"{self.demo.ready['postgres']['port']}/shop?sslmode=verify-full&sslrootcert="
                + urllib.parse.quote(self.demo.ready["ca_file"]))

    def call(self, token, method, path, body=None):
        return self.admin.api(method, "/api/v1/approvals" + path, token, body)

    def vote(self, token, request, verb="approve"):
        return self.call(token, "POST", f"/{request}/{verb}", {"reason": "test"})

    def state(self, request):
        return self.call(self.user("dana"), "GET", "/" + request)[1]["state"]

    def requests(self, sql):
        found = self.call(self.user("dana"), "GET", "?state=pending")[1]["approvals"]
        return [one["id"] for one in found if one["text"] == sql]

    def request(self, sql, besides=()):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            found = [one for one in self.requests(sql) if one not in besides]
            if found:
                return found[0]
            time.sleep(0.05)
        raise AssertionError("nobody asked for approval of " + sql)

    def sessions(self):
        text = self.admin.call("GET", "/metrics")[1]
        return sum(float(n) for n in re.findall(r"^sallyport_sessions_open\S* (\S+)$", text, re.M))

    def ask_and_leave(self, token, sql, before=()):
        """A request that nobody waits for any more."""
        open_before = self.sessions()
        arguments = ["psql", "-X", self.dsn(token)]
        for one in [*before, sql]:
            arguments += ["-c", one]
        psql = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        request = self.request(sql)
        psql.kill()
        psql.wait()
        end = time.monotonic() + 20
        while self.sessions() > open_before:
            assert time.monotonic() < end, "the session did not end"
            time.sleep(0.05)
        return request

    def count(self, text):
        with psycopg.connect(self.demo.dsn("dana"), autocommit=True) as dana:
            return dana.execute("select (select count(*) from notes where text = %s) + "
                                "(select count(*) from other.notes where text = %s)",
                                (text, text)).fetchone()[0]

    def records(self, kind):
        done = self.demo.sallyport("ledger", "export", "--data", str(self.demo.data), "--kind", kind)
        return [json.loads(line) for line in done.stdout.splitlines()]


class Asking(threading.Thread):
    def __init__(self, shop, token, sql, before=()):
        super().__init__(daemon=True)
        self.dsn, self.sql, self.before = shop.dsn(token), sql, before
        self.error, self.connection, self.ended_at = None, None, None
        self.start()

    def run(self):
        try:
            with psycopg.connect(self.dsn, autocommit=True) as self.connection:
                for one in self.before:
                    self.connection.execute(one)
                self.connection.execute(self.sql)
        except psycopg.Error as error:
            self.error = error
        self.ended_at = time.monotonic()

    def result(self):
        self.join(60)
        assert not self.is_alive()
        return (self.error.sqlstate or "gone") if self.error else "ran"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    one = Shop(tmp_path_factory.mktemp("bounds"))
    yield one
    one.stop()


def approved_then_another_waits(shop, sql, token, then, other_token=None, before=()):
    """Approves `sql` of `token`, and then somebody runs `then`: it asks for an approval of its own,
    and without one it does not run."""
    request = shop.ask_and_leave(token, sql)
    assert shop.vote(shop.user("dana"), request)[0] == 200
    asking = Asking(shop, other_token or token, then, before)
    another = shop.request(then)
    assert another != request and asking.is_alive()
    assert shop.vote(shop.user("dana"), another, "deny")[0] == 200
    assert asking.result() == "42501"
    assert shop.state(request) == "approved"  # still for what it was for, and unused
    shop.vote(shop.user("dana"), request, "withdraw")


def test_approve_x_run_y(shop):
    approved_then_another_waits(shop, "insert into notes values (1, 'x')", shop.user("alice"),
                                "insert into notes values (1, 'y')")
    assert shop.count("x") == shop.count("y") == 0


def test_approve_x_run_x_twice(shop):
    sql = "insert into notes values (1, 'twice')"
    asking = Asking(shop, shop.user("alice"), sql)
    request = shop.request(sql)
    shop.vote(shop.user("dana"), request)
    assert asking.result() == "ran" and shop.state(request) == "consumed"
    again = Asking(shop, shop.user("alice"), sql)
    second = shop.request(sql)
    assert second != request
    shop.vote(shop.user("dana"), second, "deny")
    assert again.result() == "42501" and shop.count("twice") == 1


def test_approve_x_run_x_with_another_search_path(shop):
    sql = "insert into notes values (2, 'path')"
    approved_then_another_waits(shop, sql, shop.user("alice"), sql,
                                before=["set search_path = other, public"])
    assert shop.count("path") == 0


def test_approve_x_and_another_user_runs_x(shop):
    sql = "insert into notes values (3, 'another')"
    approved_then_another_waits(shop, sql, shop.user("alice"), sql,
                                other_token=shop.user("zoe", "support"))
    assert shop.count("another") == 0


def test_approve_x_of_a_user_and_the_users_agent_runs_x(shop):
    sql = "insert into notes values (4, 'agent')"
    zoe = shop.user("zoe", "support")
    approved_then_another_waits(shop, sql, zoe, sql, other_token=shop.via_copilot(zoe))
    approved_then_another_waits(shop, sql + " ", shop.via_copilot(zoe), sql + " ", other_token=zoe)
    assert shop.count("agent") == 0


def test_approve_x_run_x_after_it_expired(shop):
    sql = "insert into notes values (5, 'late')"
    token = shop.user("hans", "hasty")
    request = shop.ask_and_leave(token, sql)
    assert shop.vote(shop.user("dana"), request)[0] == 200
    time.sleep(2.5)
    assert shop.state(request) == "lapsed"
    late = Asking(shop, token, sql)
    another = shop.request(sql)
    assert another != request
    shop.vote(shop.user("dana"), another, "deny")
    assert late.result() == "42501" and shop.count("late") == 0


def test_nobody_decides_in_time(shop):
    sql = "insert into notes values (6, 'expired')"
    started = time.monotonic()
    asking = Asking(shop, shop.user("alice"), sql)
    request = shop.request(sql)
    assert asking.result() == "42501" and "expired" in str(asking.error)
    assert 8 < asking.ended_at - started < 16
    status, refused = shop.vote(shop.user("dana"), request)
    assert status == 409 and "expired already" in refused["detail"]
    end = time.monotonic() + 10
    told = []
    while "approval.expired" not in told and time.monotonic() < end:
        told = [one["data"]["action"] for one in shop.records("admin_change")
                if one["data"]["target"] == request]
    assert told == ["approval.requested", "approval.expired"]


def refused_vote(shop, asker, voter, told):
    sql = f"insert into notes values (7, '{told[:20]}')"
    asking = Asking(shop, asker, sql)
    request = shop.request(sql)
    status, body = shop.vote(voter, request)
    assert status in (403, 404, 409), body
    assert told in body["detail"], body
    assert asking.is_alive() and shop.state(request) == "pending"
    assert shop.vote(shop.user("dana"), request, "deny")[0] == 200
    assert asking.result() == "42501" and shop.count(told[:20]) == 0


def test_nobody_approves_what_he_asks_for(shop):
    refused_vote(shop, shop.user("alice"), shop.user("alice"), "who asks, or is asked for")


def test_a_second_group_makes_nobody_another_person(shop):
    """kim asks as support, and would approve as dba: the token with the other group is still hers."""
    refused_vote(shop, shop.user("kim", "support"), shop.user("kim", "dba"),
                 "who asks, or is asked for")
    refused_vote(shop, shop.user("kim", "support"), shop.user("kim", "support", "dba"),
                 "who asks, or is asked for")


def test_nobody_approves_through_an_agent(shop):
    # Not even an approver, of somebody else's request.
    token = shop.via_copilot(shop.user("zoe", "support"))
    refused_vote(shop, shop.user("alice"), token, "there is no request")


def test_whom_an_agent_acts_for_does_not_approve(shop):
    zoe = shop.user("zoe", "support")
    refused_vote(shop, shop.via_copilot(zoe), zoe, "who asks, or is asked for")


def test_the_owner_of_an_agent_does_not_approve_what_it_asks_for(shop):
    # alice may vote on others' requests, and owns the copilot.
    refused_vote(shop, shop.via_copilot(shop.user("zoe", "support")), shop.user("alice"),
                 "the owner of an agent may not vote")
    sql = "insert into notes values (8, 'not hers')"
    asking = Asking(shop, shop.user("zoe", "support"), sql)
    assert shop.vote(shop.user("alice"), shop.request(sql))[0] == 200
    assert asking.result() == "ran"


def test_a_vote_is_decided_for_the_address_that_it_comes_from(shop):
    sql = "insert into notes values (9, 'from here')"
    asking = Asking(shop, shop.user("alice"), sql)
    request = shop.request(sql)
    status, body = shop.vote(shop.user("fay", "dba", "far"), request)
    assert status == 403 and "dba-votes-from-here" in body["detail"], body
    shop.vote(shop.user("dana"), request, "deny")
    assert asking.result() == "42501"
    told = [one["data"]["detail"] for one in shop.records("admin_change")
            if one["data"]["target"] == request]
    assert told[-1] == "from 127.0.0.1: test"


@pytest.mark.parametrize("who", ["alice", "dana"])
def test_withdrawn_while_it_is_held(shop, who):
    sql = f"insert into notes values (10, 'withdrawn by {who}')"
    asking = Asking(shop, shop.user("alice"), sql)
    request = shop.request(sql)
    assert shop.vote(shop.user(who), request, "withdraw")[0] == 200
    assert asking.result() == "42501" and "cancelled by " + who in str(asking.error)
    status, body = shop.vote(shop.user("dana"), request)
    assert status == 409 and "cancelled already" in body["detail"]


def test_a_session_that_is_revoked_while_it_is_held(shop):
    """Within a second, and what was asked for does not run, whoever approves it afterwards."""
    sql = "insert into notes values (11, 'revoked')"
    done = subprocess.run(
        [BINARY, "delegate", "support-copilot", "--connection", "shop", "--for", "1h", "--json"],
        capture_output=True, text=True, timeout=60, check=True,
        env={**os.environ, "SALLYPORT_GATEWAY": shop.admin.url,
             "SALLYPORT_CA": shop.demo.ready["ca_file"], "SALLYPORT_TOKEN": shop.user("alice")})
    delegation = json.loads(done.stdout)["id"]
    agent = shop.admin.agent_token(
        "support-copilot", shop.demo.ready["agents"]["support-copilot"]["client_secret"])
    _, body = shop.admin.exchange(delegation, agent,
                                  subject_token_type="urn:sallyport:params:oauth:token-type:delegation")
    token = body["access_token"]
    asking = Asking(shop, token, sql)
    request = shop.request(sql)
    started = time.monotonic()
    status, body = shop.admin.api("DELETE", "/api/v1/delegations/" + delegation, shop.user("alice"))
    assert status in (200, 204), body
    asking.result()
    assert asking.ended_at - started < 1
    shop.vote(shop.user("dana"), request)
    time.sleep(1)
    assert shop.count("revoked") == 0
    # And its token is of no use to pick the approval up.
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(shop.dsn(token, "alice"))


def test_an_approver_who_lost_the_right(tmp_path):
    shop = Shop(tmp_path)
    try:
        sql = "insert into notes values (12, 'lost')"
        request = shop.ask_and_leave(shop.user("alice"), sql)
        assert shop.vote(shop.user("dana"), request)[0] == 200
        shop.policies.write_text(POLICIES + '@id("no-more") forbid (principal in Group::"dba", '
                                 'action == Action::"approve", resource);')
        shop.demo.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 20
        while not any(one["data"]["event"] == "reloaded" for one in shop.records("gateway")):
            assert time.monotonic() < end
            time.sleep(0.1)
        asking = Asking(shop, shop.user("alice"), sql)
        assert asking.result() == "42501" and "no longer" in str(asking.error)
        assert shop.count("lost") == 0
    finally:
        shop.stop()


def test_only_so_many_wait_for_one_request(shop):
    sql = "insert into notes values (13, 'many')"
    all_of_them = [Asking(shop, shop.user("alice"), sql) for _ in range(34)]
    request = shop.request(sql)
    end = time.monotonic() + 20
    while sum(not one.is_alive() for one in all_of_them) < 2 and time.monotonic() < end:
        time.sleep(0.05)
    told = [str(one.error) for one in all_of_them if not one.is_alive()]
    assert len(told) == 2 and all("too many sessions wait" in one for one in told), told
    shop.vote(shop.user("dana"), request, "deny")
    assert all(one.result() == "42501" for one in all_of_them)


def test_the_approver_sees_how_much_it_would_touch(shop):
    """By the gateway's own connection: rows and tables, and none of the values in the plan."""
    sql = "delete from orders where status = 'geheim' or id < 3"
    asking = Asking(shop, shop.user("alice"), sql)
    request = shop.request(sql)
    shown = shop.call(shop.user("dana"), "GET", "/" + request)[1]
    assert re.fullmatch(r"about \d+ rows: Delete on orders, .*Scan on orders", shown["estimate"]), shown
    assert "geheim" not in shown["estimate"]
    assert [one["policy"] for one in shown["routes"]] == ["change"]
    assert {"action": "sql:delete", "resource": 'Table::"shop/shop/public/orders"'} in shown["touches"]
    cli = subprocess.run(
        [BINARY, "approvals", "show", request], capture_output=True, text=True, timeout=60,
        env={**os.environ, "SALLYPORT_GATEWAY": shop.admin.url, "SALLYPORT_TOKEN": shop.user("dana"),
             "SALLYPORT_CA": shop.demo.ready["ca_file"]})
    assert shown["estimate"] in cli.stdout and "policy change" in cli.stdout, cli.stdout
    told = [one["data"]["detail"] for one in shop.records("admin_change")
            if one["data"]["target"] == request]
    assert shown["estimate"] in told[0]
    shop.vote(shop.user("dana"), request, "deny")
    assert asking.result() == "42501"
    own = [one for one in shop.records("gateway") if one["data"]["event"] == "estimate"]
    assert own
    with psycopg.connect(shop.demo.dsn("dana"), autocommit=True) as dana:
        assert dana.execute("select count(*) from orders where id < 3").fetchone()[0] == 2


def estimate_of(shop, sql):
    """What an approver reads; who asks does not, who could ask about any condition."""
    asker = shop.user("dora", "support")
    asking = Asking(shop, asker, sql)
    request = shop.request(sql)
    shown = shop.call(shop.user("dana"), "GET", "/" + request)[1]["estimate"]
    assert shop.call(asker, "GET", "/" + request)[1]["estimate"] == ""
    listed = shop.call(asker, "GET", "?state=pending")[1]["approvals"]
    assert [one["estimate"] for one in listed if one["id"] == request] == [""]
    shop.vote(shop.user("dana"), request, "deny")
    assert asking.result() == "42501"
    return shown


SPRUNG = """
create sequence tripwire;
create function spring(int) returns int immutable language plpgsql
  as 'begin perform nextval(''tripwire''); return $1; end';
create function spring_less(int, text) returns bool immutable language plpgsql
  as 'begin perform nextval(''tripwire''); return true; end';
create function spring_text(text) returns bool immutable language plpgsql
  as 'begin perform nextval(''tripwire''); return true; end';
create operator <<< (function = spring_less, leftarg = int, rightarg = text);
create domain sprung as text check (spring_text(value));
create table with_domain (id int, text sprung);
create table with_policy (id int, text text);
create policy p on with_policy using (id < spring(5));
alter table with_policy enable row level security, force row level security;
create view with_view as select * from notes where id < spring(5);
create table with_check (id int check (id < spring(5) or id > 5), text text);
create table with_default (id int, text text, n int default spring(5));
create table plain (id int primary key, text text);
"""


def test_what_the_planner_might_run_is_not_estimated(shop):
    """An immutable function of constants is run by the planner, whatever brought it in."""
    with psycopg.connect(shop.demo.dsn("dana"), autocommit=True) as dana:
        for statement in SPRUNG.split(";\n"):
            if statement.strip():
                dana.execute(statement)

        def springs(sql):
            dana.execute("select setval('tripwire', 1, false)")
            dana.execute("explain " + sql)
            return dana.execute("select is_called from tripwire").fetchone() == (True,)

        for sql, why in [
                ("delete from notes where id < spring(5)", "it does more than read and change rows"),
                ("delete from notes where 5 <<< 'x'", "it does more than read and change rows"),
                ("delete from with_domain where text = 'x'::sprung", "it does more than read and change rows"),
                ("insert into with_domain values (1, 'x')", "the type sprung"),
                ("insert into with_default values (1, 'x')", "with_default is defined with functions"),
                ("delete from with_check where id < 3", "with_check is defined with functions"),
                ("delete from with_policy where id < 3", "with_policy has policies of its own"),
                ("insert into notes select * from with_view", "with_view is not a table")]:
            # Policies, checks and domains only for other roles, settings and versions of the server.
            assert springs(sql) or re.search("with_(check|policy|domain)", sql), sql
            shown = estimate_of(shop, sql)
            assert shown.startswith("no estimate: ") and why in shown, (sql, shown)
        # And what brings nothing in is.
        for sql in ["delete from plain where text like 'a%' and id between 1 and 3",
                    "update plain set text = upper(text) || now()::text where id in (1, 2)",
                    "insert into plain select id, text from notes where lower(text) = 'x'"]:
            assert not springs(sql)
            assert estimate_of(shop, sql).startswith("about "), sql


MIGRATION = """\
alter table notes add column migrated int;
-- what was there
update notes set migrated = 1 where id < 0;
select count(*) from notes;
alter table notes drop column migrated;
"""


def refused(session, sql):
    with pytest.raises(psycopg.errors.InsufficientPrivilege) as error:
        session.execute(sql)
    return error.value.diag


def test_a_list_is_approved_as_a_whole_and_runs_in_its_order(shop, tmp_path):
    mia = shop.user("mia", "migrators")
    with psycopg.connect(shop.dsn(mia), autocommit=True) as session:
        told = refused(session, MIGRATION)
        assert "as a list is asked for" in told.message_primary, told.message_primary
        request = re.search(r"apr_[0-9a-f]+", told.message_detail)[0]
        # To ask again is the same request, and nothing has run.
        assert request in refused(session, MIGRATION).message_detail
        shown = shop.call(shop.user("dana"), "GET", "/" + request)[1]
        assert shown["kind"] == "list" and shown["text"] == MIGRATION
        # Who asks does not say yes, whatever it is that waits.
        assert shop.vote(mia, request)[0] in (403, 409)
        assert shop.vote(shop.user("dana"), request)[0] == 200
        assert "approved as a list" in refused(session, MIGRATION).message_primary
        assert session.execute("select count(*) from pg_attribute where attname = 'migrated'"
                               ).fetchone() == (0,)
    # Another statement, one out of its turn, and one of somebody else: each waits for its own.
    for token, sql in ((mia, "alter table notes add column migrated text"),
                       (mia, "alter table notes drop column migrated"),
                       (shop.user("max", "migrators"), "alter table notes add column migrated int")):
        asking = Asking(shop, token, sql)
        another = shop.request(sql)
        assert another != request and asking.is_alive()
        shop.vote(shop.user("dana"), another, "deny")
        assert asking.result() == "42501"
    # As a tool runs it: one statement after the other.
    file = tmp_path / "migration.sql"
    file.write_text(MIGRATION)
    run = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", shop.dsn(mia), "-f", str(file)]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout.strip().isdigit(), done.stderr
    assert shop.state(request) == "consumed"
    events = [one["data"]["action"] for one in shop.records("admin_change")
              if one["data"]["target"] == request]
    assert events == ["approval.requested", "approval.approved"] + ["approval.used"] * 3, events
    # Once.
    asking = Asking(shop, mia, "alter table notes add column migrated int")
    another = shop.request("alter table notes add column migrated int")
    shop.vote(shop.user("dana"), another, "deny")
    assert asking.result() == "42501"


def test_a_list_says_at_once_what_cannot_be_in_it(shop):
    with psycopg.connect(shop.dsn(shop.user("mia", "migrators")), autocommit=True) as session:
        told = refused(session, "alter table notes add column x int; grant select on notes to public")
        assert "no policy permits it" in told.message_primary, told.message_primary
        assert "apr_" not in told.message_detail


def test_an_approver_can_read_what_was_sent_in_binary(shop):
    sql = "insert into notes values (%b, %b)"
    failed = []

    def run():
        with psycopg.connect(shop.dsn(shop.user("alice")), autocommit=True) as alice:
            try:
                alice.execute(sql, (4711, "binary"))
            except psycopg.Error as error:
                failed.append(error.sqlstate)

    thread = threading.Thread(target=run)
    thread.start()
    request = shop.request("insert into notes values ($1, $2)")
    shown = shop.call(shop.user("dana"), "GET", "/" + request)[1]
    assert [one.get("shown") for one in shown["parameters"]] == ["4711", "binary"]
    assert shown["estimate"].startswith("about 1 rows: Insert on notes"), shown
    shop.vote(shop.user("dana"), request, "deny")
    thread.join(30)
    assert failed == ["42501"]
