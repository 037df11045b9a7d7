"""A statement that people have to approve waits on the wire: psql and psycopg on one side,
`sallyport approvals` on the other."""

import json
import os
import re
import signal
import subprocess
import threading
import time

import psycopg
import pytest
from agents import Admin
from conftest import BINARY, Demo
from own_postgres import OwnPostgres, free_port

POLICIES = """\
@id("all-connect") permit (principal, action == Action::"connect", resource);
@id("copilot-acts") permit (principal is Agent, action == Action::"act_for", resource);
@id("all-read") permit (principal, action in Action::"sql:read", resource);
@id("all-set") permit (principal, action == Action::"sql:set", resource);

@id("change-needs-approval") @approvers("dba") @quorum("1") @ttl("10m") @mode("statement")
permit (principal in Group::"support", action in Action::"sql:write", resource in Connection::"shop")
when {
  context has approval && context.approval.kind == "statement" &&
  context.approval.boundHash == context.stmt.hash && context.approval.quorum >= 1 &&
  context.now < context.approval.expires
};
@id("sre-change-needs-two") @approvers("dba,support") @quorum("2") @ttl("10m") @mode("statement")
permit (principal in Group::"sre", action in Action::"sql:write", resource in Connection::"shop")
when {
  context has approval && context.approval.kind == "statement" &&
  context.approval.boundHash == context.stmt.hash && context.approval.quorum >= 2 &&
  context.now < context.approval.expires
};
@id("dba-all") permit (principal in Group::"dba", action, resource);
@id("support-approve") permit (
  principal in Group::"support", action in [Action::"approve", Action::"reject"], resource);
@id("no-self-approval") forbid (principal, action == Action::"approve", resource)
when { resource.requester == principal };
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("approvals")
    policies = folder / "policies"
    policies.mkdir()
    (policies / "10.cedar").write_text(POLICIES)
    running = Demo(folder, "--policies", str(policies))
    with psycopg.connect(running.dsn("dana"), autocommit=True) as dana:
        dana.execute("create table notes (id int, text text)")
    yield running
    running.stop()


def sallyport(shop, user, *arguments):
    return subprocess.run(
        [BINARY, *arguments], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "SALLYPORT_GATEWAY": shop.ready["admin"]["url"],
             "SALLYPORT_TOKEN": shop.ready["users"][user]["token"],
             "SALLYPORT_CA": shop.ready.get("ca_file", "")})


def approvals(shop, user, *arguments):
    done = sallyport(shop, user, "approvals", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def pending(shop, user="dana", text=None):
    found = [one for one in approvals(shop, user, "list")["approvals"]
             if one["state"] == "pending" and (text is None or one["text"] == text)]
    return found


def wait_for_request(shop, text, user="dana", known=()):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        found = [one["id"] for one in pending(shop, user, text) if one["id"] not in known]
        if found:
            return found[0]
        time.sleep(0.05)
    raise AssertionError("nobody asked for approval of " + text)


class Asking(threading.Thread):
    """Runs one statement; what it gave, or the error."""

    def __init__(self, shop, user, sql, parameters=None, prepare=""):
        super().__init__()
        self.dsn, self.sql, self.parameters, self.prepare = shop.dsn(user), sql, parameters, prepare
        self.error, self.rows, self.notices = None, None, []
        self.connection = None
        self.start()

    def run(self):
        try:
            with psycopg.connect(self.dsn, autocommit=True) as self.connection:
                self.connection.add_notice_handler(
                    lambda notice: self.notices.append((notice.message_primary, notice.message_detail)))
                if self.prepare:
                    self.connection.execute(self.prepare)
                cursor = self.connection.execute(self.sql, self.parameters)
                self.rows = cursor.rowcount
        except psycopg.Error as error:
            self.error = error

    def result(self):
        self.join(60)
        assert not self.is_alive()
        return self.error.sqlstate if self.error else self.rows


def ask_and_approve(shop, sql, user="alice", **more):
    asking = Asking(shop, user, sql, **more)
    request = wait_for_request(shop, sql)
    approvals(shop, "dana", "approve", request)
    return asking, request


def ask_and_leave(shop, user, sql):
    """A request that nobody waits for any more."""
    def sessions():
        text = Admin(shop.ready["admin"]["url"], shop.ready["ca_file"]).call("GET", "/metrics")[1]
        return sum(float(n) for n in re.findall(r"^sallyport_sessions_open\S* (\S+)$", text, re.M))

    before = sessions()
    psql = subprocess.Popen(["psql", "-X", shop.dsn(user), "-c", sql],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    request = wait_for_request(shop, sql)
    psql.kill()
    psql.wait()
    end = time.monotonic() + 20
    while sessions() > before:
        assert time.monotonic() < end, "the session did not end"
        time.sleep(0.05)
    return request


def count(shop, text):
    with psycopg.connect(shop.dsn("dana"), autocommit=True) as dana:
        return dana.execute("select count(*) from notes where text = %s", (text,)).fetchone()[0]


def test_psql_waits_is_approved_and_gets_its_answer(shop):
    sql = "insert into notes values (1, 'approved') returning id"
    psql = subprocess.Popen(["psql", "-X", "-A", "-t", shop.dsn("alice"), "-c", sql],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    request = wait_for_request(shop, sql)
    assert psql.poll() is None and count(shop, "approved") == 0
    shown = sallyport(shop, "dana", "approvals", "show", request).stdout
    assert sql in shown and "alice" in shown and "change-needs-approval" in shown
    done = sallyport(shop, "dana", "approvals", "approve", request, "--reason", "ticket 4711")
    assert done.returncode == 0, done.stderr
    out, err = psql.communicate(timeout=30)
    assert out.splitlines()[0] == "1"
    assert "NOTICE:  waiting for approval" in err and request in err
    assert count(shop, "approved") == 1
    after = approvals(shop, "dana", "show", request)
    assert after["state"] == "consumed"
    assert after["votes"][0]["voter"] == "dana" and after["votes"][0]["reason"] == "ticket 4711"


@pytest.mark.parametrize("parameters", [None, (7,)], ids=["simple", "extended"])
def test_once_is_once(shop, parameters):
    sql = "insert into notes values (7, 'once')" if parameters is None else \
        "insert into notes values (%s, 'once, extended')"
    asking = Asking(shop, "alice", sql, parameters)
    request = wait_for_request(shop, sql.replace("%s", "$1"))
    approvals(shop, "dana", "approve", request)
    assert asking.result() == 1
    again = Asking(shop, "alice", sql, parameters)
    second = wait_for_request(shop, sql.replace("%s", "$1"))
    assert second != request
    approvals(shop, "dana", "deny", second, "--reason", "once was enough")
    assert again.result() == "42501"
    assert "denied by dana" in str(again.error)


def test_approve_this_run_that(shop):
    """Only what was approved runs, in the same circumstances."""
    sql = "insert into notes values (%s, 'that')"
    asking = Asking(shop, "alice", sql, (1,))
    request = wait_for_request(shop, sql.replace("%s", "$1"))
    asking.connection.cancel()
    assert asking.result() == "57014"
    assert approvals(shop, "dana", "show", request)["state"] == "cancelled"

    def approved_but_not_run(other, parameters=None, prepare="", user="alice"):
        """Approves the first, and runs another: it waits for an approval of its own."""
        base = "insert into notes values (2, 'base')"
        first = Asking(shop, "alice", base)
        first_request = wait_for_request(shop, base)
        with_other = Asking(shop, user, other, parameters, prepare)
        other_request = wait_for_request(shop, other.replace("%s", "$1"), known=[first_request])
        approvals(shop, "dana", "approve", first_request)
        assert first.result() == 1
        time.sleep(0.3)
        assert with_other.is_alive()
        approvals(shop, "dana", "deny", other_request)
        assert with_other.result() == "42501"

    approved_but_not_run("insert into notes values (2, 'base') ")
    approved_but_not_run("insert into notes values (3, 'base')")
    approved_but_not_run("insert into notes values (%s, 'base')", (2,))
    approved_but_not_run("insert into notes values (2, 'base')",
                         prepare="set search_path = public, pg_catalog")
    approved_but_not_run("insert into notes values (2, 'base')", user="sam")
    assert count(shop, "that") == 0


def test_what_a_name_means_is_approved_with_it(shop):
    """EXECUTE of what was approved under that name, and not of what it means by now."""
    with psycopg.connect(shop.dsn("alice"), autocommit=True) as alice:
        failed = []

        def run(sql, wanted):
            def go():
                try:
                    alice.execute(sql)
                except psycopg.Error as error:
                    failed.append(error.sqlstate)
            thread = threading.Thread(target=go)
            thread.start()
            request = wait_for_request(shop, sql)
            approvals(shop, "dana", wanted, request)
            thread.join(30)
            return request

        prepared = "prepare p (int) as insert into notes values ($1, 'prepared')"
        run(prepared, "approve")
        request = run("execute p(1)", "approve")
        shown = sallyport(shop, "dana", "approvals", "show", request).stdout
        assert "runs: " in shown and "'prepared'" in shown
        assert count(shop, "prepared") == 1 and not failed
        # Approved while nobody waits, and then the name is given to something else.
        alice.execute("select 1")
        left = Asking(shop, "alice", "execute p(2)", prepare="select 1")
        assert left.result() == "26000"
        alice.execute("deallocate p")
        run("prepare p (int) as insert into notes values ($1, 'something else')", "approve")
        assert run("execute p(1)", "deny") != request
        assert failed == ["42501"] and count(shop, "something else") == 0


def test_a_vote_of_who_may_not_vote_any_more_does_not_count(tmp_path):
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/10.cedar").write_text(POLICIES)
    shop = Demo(tmp_path, "--policies", str(tmp_path / "policies"))
    try:
        sql = "delete from orders where id = 1"
        request = ask_and_leave(shop, "alice", sql)
        approvals(shop, "dana", "approve", request)
        file = tmp_path / "policies/10.cedar"
        file.write_text(POLICIES + '@id("dba-votes-no-more") forbid (principal in Group::"dba", '
                        'action == Action::"approve", resource);')
        shop.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 20
        while "reloaded" not in shop.sallyport("ledger", "export", "--data", str(shop.data),
                                               "--kind", "gateway").stdout:
            assert time.monotonic() < end
            time.sleep(0.1)
        again = Asking(shop, "alice", sql)
        assert again.result() == "42501"
        assert "no longer" in str(again.error)
    finally:
        shop.stop()


def test_other_parameters_are_another_request(shop):
    sql = "delete from notes where id = %s"
    first = Asking(shop, "alice", sql, ("101",))
    request = wait_for_request(shop, sql.replace("%s", "$1"))
    second = Asking(shop, "alice", sql, ("102",))
    end = time.monotonic() + 20
    while len(pending(shop, text=sql.replace("%s", "$1"))) < 2 and time.monotonic() < end:
        time.sleep(0.05)
    both = pending(shop, text=sql.replace("%s", "$1"))
    assert [one["parameters"] for one in both if one["id"] == request] == [
        [{"binary": False, "value": "101"}]]
    shown = sallyport(shop, "dana", "approvals", "show", request).stdout
    assert sql.replace("%s", "$1") in shown and "$1 = '101'" in shown
    other = [one["id"] for one in both if one["id"] != request][0]
    approvals(shop, "dana", "approve", request)
    assert first.result() == 0
    assert second.is_alive()
    approvals(shop, "dana", "deny", other)
    assert second.result() == "42501"


def test_nobody_approves_for_himself(shop):
    sql = "insert into notes values (4, 'self')"
    asking = Asking(shop, "alice", sql)
    request = wait_for_request(shop, sql)
    for user, status in (("alice", "may not vote"), ("bob", "no request"), ("sam", "no request")):
        done = sallyport(shop, user, "approvals", "approve", request)
        assert done.returncode != 0
        assert status in done.stderr or "forbids" in done.stderr, (user, done.stderr)
    assert asking.is_alive() and count(shop, "self") == 0
    done = sallyport(shop, "alice", "approvals", "withdraw", request)
    assert done.returncode == 0, done.stderr
    assert asking.result() == "42501"


def test_two_people_are_two_people(shop):
    sql = "insert into notes values (5, 'two')"
    asking = Asking(shop, "sam", sql)
    request = wait_for_request(shop, sql)
    once = approvals(shop, "dana", "approve", request)
    assert once["state"] == "pending" and once["votes_missing"] == 1
    assert sallyport(shop, "dana", "approvals", "approve", request).returncode != 0
    assert asking.is_alive() and count(shop, "two") == 0
    approvals(shop, "alice", "approve", request)
    assert asking.result() == 1


def test_ctrl_c_takes_the_request_back(shop):
    sql = "insert into notes values (6, 'never')"
    asking = Asking(shop, "alice", sql)
    request = wait_for_request(shop, sql)
    asking.connection.cancel()
    assert asking.result() == "57014"
    assert approvals(shop, "dana", "show", request)["state"] == "cancelled"
    done = sallyport(shop, "dana", "approvals", "approve", request)
    assert done.returncode != 0 and "cancelled already" in done.stderr
    assert count(shop, "never") == 0


def test_in_a_transaction_the_refusal_aborts_it(shop):
    sql = "insert into notes values (8, 'in transaction')"
    with psycopg.connect(shop.dsn("alice")) as alice:
        alice.execute("select 1")
        failed = []

        def run():
            try:
                alice.execute(sql)
            except psycopg.Error as error:
                failed.append(error.sqlstate)

        thread = threading.Thread(target=run)
        thread.start()
        approvals(shop, "dana", "deny", wait_for_request(shop, sql))
        thread.join(30)
        assert failed == ["42501"]
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            alice.execute("select 1")
        alice.rollback()
        assert alice.execute("select 1").fetchone() == (1,)


def test_who_left_runs_nothing_and_finds_the_approval_again(shop):
    sql = "insert into notes values (9, 'left')"
    request = ask_and_leave(shop, "alice", sql)
    approvals(shop, "dana", "approve", request)
    time.sleep(1)
    assert count(shop, "left") == 0
    assert approvals(shop, "dana", "show", request)["state"] == "approved"
    assert Asking(shop, "alice", sql).result() == 1
    assert approvals(shop, "dana", "show", request)["state"] == "consumed"


def test_an_approval_can_be_taken_back(shop):
    sql = "insert into notes values (10, 'revoked')"
    request = ask_and_leave(shop, "alice", sql)
    approvals(shop, "dana", "approve", request)
    assert approvals(shop, "dana", "withdraw", request)["state"] == "revoked"
    asking = Asking(shop, "alice", sql)
    another = wait_for_request(shop, sql)
    assert another != request
    asking.connection.cancel()
    assert asking.result() == "57014"


def test_the_ledger_tells_the_whole_story(shop):
    sql = "insert into notes values (11, 'recorded')"
    asking, request = ask_and_approve(shop, sql)
    assert asking.result() == 1
    done = shop.sallyport("ledger", "export", "--data", str(shop.data))
    records = [json.loads(line) for line in done.stdout.splitlines()]
    about = [record for record in records if record["kind"] == "admin_change" and
             record["data"]["target"] == request]
    assert [(one["data"]["action"], one["data"]["who"]) for one in about] == [
        ("approval.requested", "alice"), ("approval.approved", "dana"), ("approval.used", "alice")]
    ran = [record for record in records if record["kind"] == "command" and
           record["data"]["command"]["text"] == sql]
    assert [one["data"]["decision"]["approval"] for one in ran] == [request]
    assert shop.sallyport("ledger", "verify", "--data", str(shop.data)).returncode == 0


def test_what_needs_no_approval_does_not_wait(shop):
    with psycopg.connect(shop.dsn("alice"), autocommit=True) as alice:
        assert alice.execute("select count(*) >= 0 from notes").fetchone() == (True,)
    assert sallyport(shop, "alice", "approvals", "list").returncode == 0


def test_watch_shows_what_comes_also_after_the_gateway_was_away(tmp_path):
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/10.cedar").write_text(POLICIES)
    options = ("--policies", str(tmp_path / "policies"), "--port-base", str(free_port()))
    demo = Demo(tmp_path, *options)
    watch = subprocess.Popen(
        [BINARY, "approvals", "watch", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env={**os.environ, "SALLYPORT_GATEWAY": demo.ready["admin"]["url"],
                        "SALLYPORT_TOKEN": demo.ready["users"]["dana"]["token"],
                        "SALLYPORT_CA": demo.ready["ca_file"]})
    try:
        asking = Asking(demo, "alice", "delete from orders where id = 2")
        seen = json.loads(watch.stdout.readline())
        assert (seen["text"], seen["state"]) == ("delete from orders where id = 2", "pending")
        assert seen["may_approve"]
        assert demo.stop() == 0
        asking.join(30)
        assert "still trying" in watch.stderr.readline()
        demo = Demo(tmp_path, *options)
        asking = Asking(demo, "alice", "delete from orders where id = 3")
        seen = json.loads(watch.stdout.readline())
        assert seen["text"] == "delete from orders where id = 3"
        assert watch.poll() is None
        approvals(demo, "dana", "deny", seen["id"])
        assert asking.result() == "42501"
    finally:
        watch.terminate()
        watch.communicate(timeout=30)
        demo.stop()


def test_a_restart_loses_no_request(tmp_path):
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/10.cedar").write_text(POLICIES)
    # The same ports again: the built-in issuer's name has one in it, and the chain has that name.
    options = ("--policies", str(tmp_path / "policies"), "--port-base", str(free_port()))
    before = Demo(tmp_path, *options)
    sql = "delete from orders where id = 1"
    asking = Asking(before, "alice", sql)
    request = wait_for_request(before, sql)
    assert before.stop() == 0
    asking.join(30)
    assert "shutting down" in str(asking.error)

    after = Demo(tmp_path, *options)
    try:
        assert [one["id"] for one in pending(after, text=sql)] == [request]
        approvals(after, "dana", "approve", request)
        again = Asking(after, "alice", sql)
        again.join(20)
        assert not again.is_alive(), approvals(after, "dana", "list", "--state", "all")
        assert again.result() == 1
        assert approvals(after, "dana", "show", request)["state"] == "consumed"
    finally:
        after.stop()


# ---- What is masked changes while somebody waits ------------------------------------------------

UNMASKED = """\
connections:
  lab:
    host: 127.0.0.1
    port: {port}
    database: lab
    tls: {{mode: disable}}
    credential: {{user: admin, password: none}}
"""
MASKED = UNMASKED + """\
    classification: {{"*.customers.email": pii.email}}
"""


def test_a_cursor_of_unseen_code_when_masks_come_during_the_wait(tmp_path):
    """Nobody can tell what it reads: where masks hold it is refused, approved or not."""
    postgres = OwnPostgres()
    running = None
    try:
        with postgres.connect("postgres") as admin:
            admin.execute("create database lab")
        with postgres.connect("lab") as admin:
            admin.execute("create table notes (id int)")
            admin.execute("create table customers (id int, email text)")
            admin.execute("insert into customers values (1, 'canary@example.com')")
            admin.execute("create function opens(refcursor) returns refcursor language plpgsql as "
                          "'begin open $1 for select email from customers; return $1; end'")
        (tmp_path / "policies").mkdir()
        (tmp_path / "policies/10.cedar").write_text(
            POLICIES.replace('Connection::"shop"', 'Connection::"lab"') +
            '@id("calls") permit (principal, action == Action::"sql:call", resource);')
        more = tmp_path / "more.yaml"
        more.write_text(UNMASKED.format(port=postgres.port))
        running = Demo(tmp_path, "--policies", str(tmp_path / "policies"), "--config", str(more))
        sql = "insert into notes values (1); fetch all in mine"
        outcome = []

        def ask(client):
            try:
                cursor = client.execute(sql)
                cursor.nextset()
                outcome.append(cursor.fetchall())
            except psycopg.Error as error:
                outcome.append(error)

        def fetched(reload):
            with psycopg.connect(running.dsn("alice"), dbname="lab") as client:
                client.execute("select opens('mine')")
                asking = threading.Thread(target=ask, args=(client,))
                asking.start()
                request = wait_for_request(running, sql)
                if reload:
                    more.write_text(MASKED.format(port=postgres.port))
                    running.process.send_signal(signal.SIGHUP)
                    end = time.monotonic() + 20
                    while "reloaded" not in running.output() and time.monotonic() < end:
                        time.sleep(0.05)
                approvals(running, "dana", "approve", request)
                asking.join(60)
                return outcome.pop()

        assert fetched(reload=False) == [("canary@example.com",)]
        refused = fetched(reload=True)
        assert isinstance(refused, psycopg.Error) and refused.sqlstate == "42501", refused
        assert "masked for you has changed" in str(refused), refused
        assert "run it again: the approval is still there" in str(refused)
    finally:
        if running is not None:
            running.stop()
        postgres.remove()
