"""The page that the demo prints, followed line by line as a newcomer would."""

import os
import re
import subprocess

import pytest


@pytest.fixture(scope="module")
def page(demo):
    """Each command of the page with what it printed, in order."""
    commands = [line.strip() for line in demo.output().splitlines() if re.match(r"  [a-z]", line)]
    # What opens a browser is tested on its own.
    commands = [c for c in commands if " login " not in c and not c.endswith("connect shop")]
    assert len(commands) >= 11
    mark = "--- end of command ---"
    script = "shopt -s expand_aliases\n"
    script += "".join(f"{command}\nprintf '\\n%s %s\\n' '{mark}' $?\n" for command in commands)
    done = subprocess.run(["bash", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=180,
                          env={**os.environ, "PAGER": "cat", "PSQLRC": "/dev/null"})
    outputs = re.split(rf"\n?{mark} (\d+)\n", done.stdout)
    return [(command, outputs[2 * i], int(outputs[2 * i + 1]))
            for i, command in enumerate(commands)]


def one(page, part):
    found = [(output, code) for command, output, code in page if part in command]
    assert len(found) == 1, [command for command, _, _ in page]
    return found[0]


def test_alice_gets_rows(page):
    output, code = one(page, "select id, status, total")
    assert code == 0 and "(3 rows)" in output


def test_bob_is_told_why_he_cannot_connect(page):
    output, code = one(page, "service=bob")
    assert code == 2
    assert 'User "bob" may not connect' in output and "no policy permits it" in output


def test_alice_cannot_delete_and_goes_on(page):
    output, _ = one(page, "delete from orders")
    assert "ERROR:  42501" in output
    assert re.search(r"DETAIL:.*support-is-read-only", output)
    assert re.search(r"^\s*1000$", output, re.M)


def test_the_credentials_are_refused(page):
    output, code = one(page, "select * from credentials")
    assert code != 0
    assert "ERROR:  42501" in output
    assert re.search(r"DETAIL:.*credentials-are-dba-only", output)
    assert "demo-only" not in output


def test_dana_changes_an_order(page):
    output, code = one(page, "update orders")
    assert code == 0 and "UPDATE 1" in output


def test_the_sessions_are_listed_and_replayed(page):
    listed = [output for command, output, code in page if "sessions list" in command and
              "replay" not in command and code == 0]
    assert len(listed) == 1
    assert all(name in listed[0] for name in ("alice", "bob", "dana"))
    output, code = one(page, "sessions replay")
    assert code == 0
    assert "update orders set status" in output and "dba-everything" in output


def test_the_ledger_verifies_and_a_changed_byte_is_found(page):
    output, code = one(page, "verify --data")
    assert code == 0 and "OK default" in output
    output, code = one(page, "verify --dir")
    assert code == 1
    assert re.search(r"BROKEN segment-0+\.seg:\d+", output)
