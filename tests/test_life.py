"""Start, reload, stop and sudden death of a gateway, seen from outside."""

import json
import os
import pathlib
import re
import signal
import ssl
import subprocess
import time
import urllib.request

import psycopg
import pytest


def process_tree(pid):
    """The children of a process, and theirs."""
    found = []
    for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found += [int(child), *process_tree(int(child))]
    return found


def gone(pids, seconds=15):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not any(pathlib.Path(f"/proc/{pid}").exists() for pid in pids):
            return True
        time.sleep(0.1)
    return False


def log_says(demo, text, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if text in demo.output():
            return True
        time.sleep(0.05)
    return False


def gateway_events(demo):
    done = demo.sallyport("ledger", "export", "--data", str(demo.data), "--kind", "gateway")
    assert done.returncode == 0, done.stderr
    return [json.loads(line)["data"]["event"] for line in done.stdout.splitlines()]


def wait_for_event(demo, event, count=1):
    for _ in range(100):
        if gateway_events(demo).count(event) >= count:
            return
        time.sleep(0.1)
    raise AssertionError(f"no {event} in the ledger")


def test_ctrl_c_ends_open_sessions_and_leaves_nothing_running(start_demo):
    demo = start_demo()
    children = process_tree(demo.process.pid)
    assert len(children) > 1  # PostgreSQL and its own
    with psycopg.connect(demo.dsn("alice"), autocommit=True) as connection:
        connection.execute("select 1")
        assert demo.stop() == 0
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 2")
    assert gone(children)
    assert not demo.ready_file.exists()
    events = [event for event in gateway_events(demo) if event != "catalog read"]
    assert events == ["started", "stopping", "stopped"]
    ended = demo.sallyport("ledger", "export", "--data", str(demo.data), "--kind", "session_end")
    assert json.loads(ended.stdout.splitlines()[-1])["data"]["reason"] == "shutdown"
    assert demo.sallyport("ledger", "verify", "--data", str(demo.data)).returncode == 0


def test_a_killed_gateway_takes_its_postgres_along_and_its_ledger_is_whole(start_demo):
    demo = start_demo()
    assert demo.psql("alice", "select count(*) from orders").returncode == 0
    children = process_tree(demo.process.pid)
    demo.process.send_signal(signal.SIGKILL)
    demo.process.wait()
    assert gone(children)
    verified = demo.sallyport("ledger", "verify", "--data", str(demo.data))
    assert verified.returncode == 0, verified.stdout
    exported = demo.sallyport("ledger", "export", "--data", str(demo.data))
    assert "select count(*) from orders" in exported.stdout


def test_a_reload_reaches_open_sessions_and_a_bad_one_changes_nothing(start_demo):
    demo = start_demo()
    extra = demo.data / "policies/90-extra.cedar"
    with psycopg.connect(demo.dsn("alice"), autocommit=True) as connection:
        connection.execute("select count(*) from orders")

        extra.write_text("permit (principal")
        demo.process.send_signal(signal.SIGHUP)
        wait_for_event(demo, "reload refused")
        assert log_says(demo, "90-extra.cedar:1:")
        connection.execute("select count(*) from orders")

        extra.write_text('@id("orders-closed") forbid (principal, action in Action::"sql:any", '
                         'resource in Table::"shop/shop/public/orders");')
        demo.process.send_signal(signal.SIGHUP)
        wait_for_event(demo, "reloaded")
        with pytest.raises(psycopg.errors.InsufficientPrivilege) as refused:
            connection.execute("select count(*) from orders")
        assert "orders-closed" in refused.value.diag.message_detail

        extra.unlink()
        demo.process.send_signal(signal.SIGHUP)
        wait_for_event(demo, "reloaded", 2)
        connection.execute("select count(*) from orders")


def page_of(demo, path):
    context = ssl.create_default_context(cafile=demo.ready["ca_file"])
    with urllib.request.urlopen(demo.ready["admin"]["url"] + path, context=context) as page:
        return page.read().decode()


def notice_of(demo):
    """What /readyz says of the configuration, while the gateway is ready."""
    ready = json.loads(page_of(demo, "/readyz"))
    assert ready["status"] == "ready"
    return next(c for c in ready["checks"] if c["name"] == "configuration").get("detail", "")


def test_a_refused_reload_is_loud_and_the_policies_of_before_stay_in_force(start_demo):
    demo = start_demo()
    extra = demo.data / "policies/90-extra.cedar"
    assert notice_of(demo) == ""
    with psycopg.connect(demo.dsn("alice"), autocommit=True) as connection:
        for number, wrong in enumerate([
                # Valid Cedar that the schema refuses: an attribute that is not there.
                '@id("typo") forbid (principal, action in Action::"sql:read", resource) '
                'when { context.stmt.haswhere };',
                # An approval that nobody would be asked for.
                '@id("typo") @quorum("two") permit (principal, action, resource) '
                'when { context has approval };',
                # One wrong policy refuses the right ones beside it, too.
                '@id("orders-closed") forbid (principal, action in Action::"sql:any", resource in '
                'Table::"shop/shop/public/orders"); permit (principal is Usr, action, resource);']):
            extra.write_text(wrong)
            demo.process.send_signal(signal.SIGHUP)
            wait_for_event(demo, "reload refused", number + 1)
            connection.execute("select count(*) from orders")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("delete from orders")
        assert log_says(demo, "90-extra.cedar:1:92: policy")
        assert log_says(demo, "did you mean hasWhere?")
        assert log_says(demo, "@quorum is a number from 1 to 100")
        assert log_says(demo, "did you mean User?")
        metrics = page_of(demo, "/metrics")
        assert 'sallyport_reloads_total{result="refused"} 3' in metrics
        assert "sallyport_reload_refused 1" in metrics
        assert "was refused, what was in force before still is" in notice_of(demo)
        assert "typo" not in notice_of(demo)
        exported = demo.sallyport("ledger", "export", "--data", str(demo.data), "--kind", "gateway")
        refused = [json.loads(line)["data"] for line in exported.stdout.splitlines()
                   if "reload refused" in line]
        assert len(refused) == 3
        assert "did you mean hasWhere?" in refused[0]["detail"]

        extra.unlink()
        demo.process.send_signal(signal.SIGHUP)
        wait_for_event(demo, "reloaded")
        assert notice_of(demo) == ""
        assert "sallyport_reload_refused 0" in page_of(demo, "/metrics")
        connection.execute("select count(*) from orders")


def cache_results(demo):
    found = re.findall(r'^sallyport_decision_cache_total\{result="(\w+)"\} (\S+)$',
                       page_of(demo, "/metrics"), re.MULTILINE)
    return {result: float(count) for result, count in found}


def test_a_decision_from_the_cache_is_recorded_whole_and_a_policy_on_time_stops_it(start_demo):
    demo = start_demo()
    with psycopg.connect(demo.dsn("alice"), autocommit=True) as connection:
        before = cache_results(demo)
        for number in range(10):
            connection.execute(f"select count(*) from orders where id > {number}")
        after = cache_results(demo)
        # Each statement asks for its masks and for itself.
        assert after["hit"] - before.get("hit", 0) >= 9
        assert after["miss"] - before.get("miss", 0) < 9

        (demo.data / "policies/90-time.cedar").write_text(
            '@id("not-yet") forbid (principal, action, resource) '
            'when { context.now < datetime("2000-01-01") };')
        demo.process.send_signal(signal.SIGHUP)
        wait_for_event(demo, "reloaded")
        for number in range(10):
            connection.execute(f"select count(*) from orders where id > {number}")
        timed = cache_results(demo)
        assert timed["hit"] == after["hit"]
        assert timed["uncached"] - after.get("uncached", 0) >= 10

    exported = demo.sallyport("ledger", "export", "--data", str(demo.data), "--kind", "command")
    records = [json.loads(line)["data"] for line in exported.stdout.splitlines()]
    decisions = [record["decision"] for record in records
                 if "from orders where id" in json.dumps(record)]
    assert len(decisions) == 20
    for decision in decisions:
        assert decision["verdict"] == "allow"
        assert decision["answers"] == decisions[0]["answers"] != []
        assert all(answer["policies"] == ["support-read-orders"] for answer in decision["answers"])
    assert decisions[0]["policy_epoch"] == decisions[9]["policy_epoch"]
    assert decisions[0]["policy_epoch"] != decisions[10]["policy_epoch"]


def test_a_bad_configuration_is_refused_at_reload(start_demo):
    demo = start_demo()
    config = demo.data / "sallyport.yaml"
    good = config.read_text()
    config.write_text(good.replace("shutdown_grace_s: 3", "shutdown_grace: 3"))
    demo.process.send_signal(signal.SIGHUP)
    assert log_says(demo, "did you mean 'shutdown_grace_s'?")
    assert demo.psql("alice", "select count(*) from orders").stdout.strip() == "1000"


def test_a_reload_says_what_only_a_restart_changes(start_demo):
    demo = start_demo()
    config = demo.data / "sallyport.yaml"
    good = config.read_text()
    url = re.search(r"https://127\.0\.0\.1:\d+", good).group()
    config.write_text(good.replace(url, "https://gateway.example.com"))
    demo.process.send_signal(signal.SIGHUP)
    assert log_says(demo, "listeners.admin.public_url")


def test_the_options_of_the_demo(start_demo, tmp_path):
    sql = tmp_path / "other.sql"
    sql.write_text("create table things (id integer); insert into things values (1), (2);")
    policies = tmp_path / "policies"
    policies.mkdir()
    (policies / "all.cedar").write_text(
        '@id("bob-may") permit (principal == User::"bob", action, resource);')
    config = tmp_path / "over.yaml"
    config.write_text("shutdown_grace_s: 1\nconnections: {shop: {env: staging}}\n")
    demo = start_demo("--sql", str(sql), "--policies", str(policies), "--config", str(config))
    assert demo.psql("bob", "select count(*) from things").stdout.strip() == "2"
    assert demo.psql("alice", "select 1").returncode == 2


def test_a_broken_configuration_over_the_demo_is_told_with_its_place(tmp_path):
    from conftest import BINARY
    config = tmp_path / "over.yaml"
    config.write_text("connections:\n  shop:\n    hots: x\n")
    done = subprocess.run([BINARY, "demo", "--no-wait", "--data", str(tmp_path / "data"),
                           "--config", str(config)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "over.yaml:3:5: unknown key 'connections.shop.hots'" in done.stderr
    assert "did you mean" in done.stderr or "known here" in done.stderr


def test_check_says_what_is_wrong_and_does_nothing_else(demo, tmp_path):
    good = demo.sallyport("check", "--config", str(demo.data / "sallyport.yaml"))
    assert good.returncode == 0, good.stderr
    broken = tmp_path / "sallyport.yaml"
    broken.write_text("data: ./data\nlisteners: {postgres: {port: 0}}\npolicy: x\n")
    bad = demo.sallyport("check", "--config", str(broken))
    assert bad.returncode == 2
    assert f"{broken}:2:30: listeners.postgres.port is out of range" in bad.stderr
    assert f"{broken}:3:1: unknown key 'policy' (did you mean 'policies'?)" in bad.stderr
    assert os.listdir(tmp_path) == ["sallyport.yaml"]


def test_two_gateways_do_not_share_a_port(demo, tmp_path):
    from conftest import BINARY
    port = demo.ready["postgres"]["port"]
    config = tmp_path / "over.yaml"
    config.write_text(f"listeners: {{postgres: {{port: {port}}}}}\n")
    done = subprocess.run([BINARY, "demo", "--no-wait", "--data", str(tmp_path / "data"),
                           "--config", str(config)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "in use" in done.stderr
