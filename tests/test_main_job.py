"""The main job, with unmodified clients: who may, who may not, and what the ledger says of it."""

import json
import pathlib
import shutil
import subprocess

import psycopg
import pytest


def test_alice_reads_what_she_may(demo):
    done = demo.psql("alice", "select count(*) from orders")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "1000"


def test_bob_is_refused_at_connect_with_a_reason(demo):
    done = demo.psql("bob", "select 1")
    assert done.returncode == 2
    assert "bob" in done.stderr and "connect" in done.stderr


def test_a_refusal_names_its_policy_and_the_session_goes_on(demo):
    done = demo.psql("alice", "delete from orders", "select count(*) from orders")
    assert "42501" in done.stderr
    assert "support-is-read-only" in done.stderr
    assert done.stdout.strip() == "1000"


def test_the_credentials_table_is_refused(demo):
    done = demo.psql("alice", "select * from credentials")
    assert done.returncode != 0
    assert "42501" in done.stderr and "credentials-are-dba-only" in done.stderr
    assert done.stdout.strip() == ""


def test_dana_may_write(demo):
    done = demo.psql("dana", "update orders set status = 'paid' where id = 5")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "UPDATE 1"


def test_a_wrong_token_is_refused(demo):
    dsn = demo.dsn("alice").replace(demo.ready["users"]["alice"]["token"], "not.a.token")
    done = subprocess.run(["psql", "-X", dsn, "-c", "select 1"], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 2
    assert "token" in done.stderr


def test_someone_elses_token_is_refused(demo):
    users = demo.ready["users"]
    dsn = demo.dsn("alice").replace(users["alice"]["token"], users["dana"]["token"])
    done = subprocess.run(["psql", "-X", dsn, "-c", "select 1"], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 2
    assert "another user" in done.stderr


def test_psycopg_reads_binary_and_goes_on_after_a_refusal(demo):
    with psycopg.connect(demo.dsn("alice"), autocommit=True) as connection:
        with connection.cursor(binary=True) as cursor:
            cursor.execute("select id, status from orders where id = %s", (7,))
            assert cursor.fetchone()[0] == 7
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select secret from credentials where service = %s", ("x",))
        assert connection.execute("select 1").fetchone() == (1,)


def test_a_refusal_aborts_the_transaction(demo):
    with psycopg.connect(demo.dsn("alice")) as connection:
        connection.execute("select 1 from orders limit 1")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select * from credentials")
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
        connection.rollback()
        assert connection.execute("select count(*) from orders").fetchone() == (1000,)


@pytest.mark.parametrize("protocol", ["simple", "extended", "prepared"])
def test_pgbench(demo, protocol, tmp_path):
    script = tmp_path / "read.sql"
    script.write_text("\\set id random(1, 1000)\nselect total from orders where id = :id;\n")
    done = subprocess.run(["pgbench", "-n", "-M", protocol, "-c", "4", "-t", "50", "-f",
                           str(script), demo.dsn("alice")], capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == 0, done.stderr
    assert "200/200" in done.stdout


def test_the_ledger_tells_the_story_and_verifies(demo, tmp_path):
    demo.psql("alice", "select 42 from orders limit 1", "delete from orders where id = 1")
    listed = demo.sallyport("sessions", "list", "--data", str(demo.data), "--json")
    assert listed.returncode == 0, listed.stderr
    session = json.loads(listed.stdout.strip().splitlines()[-1])["id"]
    replayed = demo.sallyport("sessions", "replay", "--data", str(demo.data), session)
    assert replayed.returncode == 0, replayed.stderr
    assert "select 42 from orders" in replayed.stdout
    assert "support-is-read-only" in replayed.stdout

    key = demo.ready["ledger"]["public_key"]
    verified = demo.sallyport("ledger", "verify", "--data", str(demo.data), "--public-key", key)
    assert verified.returncode == 0, verified.stdout + verified.stderr

    copy = tmp_path / "ledger"
    shutil.copytree(demo.ready["ledger"]["dir"], copy)
    segment = sorted(copy.glob("*.seg"))[0]
    changed = bytearray(segment.read_bytes())
    changed[4096 + 200] ^= 1
    segment.write_bytes(changed)
    broken = demo.sallyport("ledger", "verify", "--dir", str(copy), "--public-key", key)
    assert broken.returncode == 1
    assert segment.name in broken.stdout + broken.stderr


def test_no_credential_is_in_the_ledger_or_the_log(demo):
    secrets = [user["token"] for user in demo.ready["users"].values()]
    texts = [path.read_bytes() for path in pathlib.Path(demo.ready["ledger"]["dir"]).glob("*.seg")]
    texts.append(demo.output().encode())
    for secret in secrets:
        assert not any(secret.encode() in text for text in texts)
