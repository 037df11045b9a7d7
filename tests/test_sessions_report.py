"""Who used what through which connection."""

import json

import pytest
from agents import Admin, dsn, psql


def report(demo, *options):
    done = demo.sallyport("sessions", "report", "--data", str(demo.data), *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_names_people_and_the_agents_that_act_for_them(start_demo):
    demo = start_demo()
    for _ in range(2):
        demo.psql("alice", "select count(*) from orders", "delete from orders")
    admin = Admin(demo.ready["admin"]["url"], demo.ready["ca_file"])
    agent = admin.agent_token("support-copilot",
                              demo.ready["agents"]["support-copilot"]["client_secret"])
    _, body = admin.exchange(demo.ready["users"]["alice"]["token"], agent)
    psql(dsn(demo.ready["postgres"]["port"], "alice", body["access_token"],
             demo.ready["ca_file"]), "select count(*) from orders")
    all_of_them = [json.loads(line) for line in report(demo, "--json").splitlines()]
    by_who = {one["who"]: one for one in all_of_them}
    assert set(by_who) == {"alice", "alice via support-copilot"}
    alice = by_who["alice"]
    assert (alice["connection"], alice["sessions"], alice["refused"]) == ("shop", 2, 2)
    assert alice["from"] == ["127.0.0.1"] and "psql" in alice["application_names"]
    uses = {(one["action"], one["resource"]): one["times"] for one in alice["uses"]}
    assert uses[("sql:select", 'Table::"shop/shop/public/orders"')] == 2
    assert by_who["alice via support-copilot"]["sessions"] == 1

    text = report(demo)
    assert text.startswith("shop\n  alice\n    2 sessions, ")
    assert 'sql:select Table::"shop/shop/public/orders"' in text
    assert report(demo, "--connection", "other") == ""
    assert report(demo, "--since", "all", "--json") == report(demo, "--json")


@pytest.mark.parametrize("since", ["", "d", "0d", "3", "-1d", "1w", "99999999999d"])
def test_a_time_that_is_none_is_refused(demo, since):
    done = demo.sallyport("sessions", "report", "--data", str(demo.data), "--since", since)
    assert done.returncode == 2 and "--since" in done.stderr
