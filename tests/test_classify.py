"""`sallyport classify suggest`: what it proposes, and that it shows names and numbers only."""

import json
import os
import subprocess

import pytest
from conftest import BINARY


@pytest.fixture
def suggest(demo, tmp_path):
    def run_as(user, *options):
        environment = {**os.environ, "SALLYPORT_GATEWAY": demo.ready["admin"]["url"],
                       "SALLYPORT_CA": demo.ready["ca_file"], "XDG_STATE_HOME": str(tmp_path),
                       "SALLYPORT_TOKEN": demo.ready["users"][user]["token"]}
        done = subprocess.run([BINARY, "classify", "suggest", "shop", *options], text=True,
                              capture_output=True, timeout=120, env=environment)
        assert done.returncode == 0, done.stderr
        for value in ("@example.com", "Ada ", "demo-only", "4000 00", "+49 30"):
            assert value not in done.stdout + done.stderr
        return done
    return run_as


def test_who_may_see_everything_gets_all_suggestions_with_counts(suggest):
    answer = json.loads(suggest("dana", "--json").stdout)
    found = {one["column"]: one for one in answer["suggestions"]}
    mail = found["public.customers.email"]
    assert (mail["classification"], mail["values"], mail["found"]) == ("pii.email", 200, {"email": 200})
    notes = found["public.customers.notes"]
    assert notes["classification"] == "pii.phone" and 0 < notes["found"]["phone"] < 50
    assert found["public.customers.card"]["by_name"] == "pci.card"
    assert found["public.credentials.secret"]["by_name"] == "secret.token"
    assert "public.orders.total" not in found and "public.orders.status" not in found
    assert answer["not_sampled"] == {}


def test_what_can_be_pasted_into_the_configuration(suggest):
    lines = suggest("dana", "--table", "public.customers", "--rows", "10").stdout.splitlines()
    assert lines[0] == "classification:"
    assert '  "public.customers.email": pii.email  # email in 10 of 10; its name says pii.email' in lines
    assert not any("credentials" in line for line in lines)


def test_the_policies_decide_what_is_sampled(suggest):
    answer = json.loads(suggest("alice", "--json").stdout)
    assert "public.credentials" in answer["not_sampled"]
    assert not any(one["column"].startswith("public.credentials") and one["values"]
                   for one in answer["suggestions"])


def test_unknown_connections_and_options_are_told(demo, tmp_path):
    environment = {**os.environ, "SALLYPORT_GATEWAY": demo.ready["admin"]["url"],
                   "SALLYPORT_CA": demo.ready["ca_file"], "XDG_STATE_HOME": str(tmp_path),
                   "SALLYPORT_TOKEN": demo.ready["users"]["dana"]["token"]}
    for arguments, code in ((["nowhere"], 1), (["shop", "--rows", "0"], 2), ([], 2)):
        done = subprocess.run([BINARY, "classify", "suggest", *arguments], text=True,
                              capture_output=True, timeout=60, env=environment)
        assert done.returncode == code, done.stderr
        assert done.stderr
