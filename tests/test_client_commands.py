"""The commands of a person: whoami, ticket, connect, env, with a token from the environment."""

import os
import subprocess
import urllib.request
import ssl

import pytest
from conftest import BINARY


@pytest.fixture
def run(demo, tmp_path):
    def run_as(user, *arguments):
        environment = {**os.environ, "SALLYPORT_GATEWAY": demo.ready["admin"]["url"],
                       "SALLYPORT_CA": demo.ready["ca_file"], "XDG_STATE_HOME": str(tmp_path)}
        if user:
            environment["SALLYPORT_TOKEN"] = demo.ready["users"][user]["token"]
        return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=60,
                              env=environment)
    return run_as


def test_whoami(run):
    done = run("alice", "whoami")
    assert done.returncode == 0, done.stderr
    assert "alice" in done.stdout and "support" in done.stdout


def test_without_a_login_one_is_told_to_log_in(run):
    done = run(None, "whoami")
    assert done.returncode == 3
    assert "sallyport login" in done.stderr


def test_connect_runs_psql_with_a_ticket(run):
    done = run("alice", "connect", "shop", "--", "-X", "-A", "-t", "-c",
               "select count(*) from customers")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "200"


def test_a_ticket_is_for_its_user_only(run, demo):
    ticket = run("alice", "ticket", "shop").stdout.strip()
    assert ticket.startswith("spt_")
    port = demo.ready["postgres"]["port"]
    for user, code in (("alice", 0), ("dana", 2)):
        done = subprocess.run(
            ["psql", "-X", f"host=127.0.0.1 port={port} dbname=shop user={user} "
             f"sslmode=verify-full sslrootcert={demo.ready['ca_file']}", "-c", "select 1"],
            capture_output=True, text=True, timeout=60, env={**os.environ, "PGPASSWORD": ticket})
        assert done.returncode == code, done.stderr


def test_no_ticket_for_what_one_may_not_connect_to(run):
    done = run("bob", "ticket", "shop")
    assert done.returncode != 0
    assert done.stdout == ""


def test_a_token_is_refused_without_tls_before_it_is_sent(demo):
    user = demo.ready["users"]["alice"]
    done = subprocess.run(
        ["psql", "-X", demo.dsn("alice").split("?")[0] + "?sslmode=disable", "-c", "select 1"],
        capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "TLS" in done.stderr
    assert user["token"] not in done.stderr


def test_env_is_what_another_client_needs(run):
    done = run("alice", "env", "shop")
    assert done.returncode == 0
    checked = subprocess.run(["bash", "-c", done.stdout + "psql -X -At -c 'select 7'"],
                             capture_output=True, text=True, timeout=60)
    assert checked.stdout.strip() == "7", checked.stderr


def test_the_admin_port_tells_its_health_and_metrics(demo):
    context = ssl.create_default_context(cafile=demo.ready["ca_file"])
    for path, part in (("/healthz", b""), ("/readyz", b"ready"), ("/metrics", b"sallyport_"),
                       ("/.well-known/openid-configuration", b"authorization_endpoint")):
        with urllib.request.urlopen(demo.ready["admin"]["url"] + path, context=context) as answer:
            assert answer.status == 200 and part in answer.read()


def test_policy_explain_reads_sql(demo):
    done = demo.sallyport("policy", "explain", "--policies", str(demo.data / "policies"), "--as",
                          "alice", "--group", "support", "--connection", "shop",
                          "delete from orders")
    assert done.returncode == 1, done.stderr
    assert "support-is-read-only" in done.stdout
