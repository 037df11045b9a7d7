"""In an emergency: a person with a ticket and a reason, who is told of at once and reviewed after."""

import json
import os
import subprocess
import time

import psycopg
import pytest
from agents import Admin
from conftest import BINARY, ROOT, Demo
from local_issuer import LocalIssuer
from test_webhooks import SECRET, Receiver, check_signature

AUDIENCE = "https://gateway.example.com"
MORE = """\
approvals:
  webhooks:
    - name: pager
      url: {receiver}/pager
      secret: file:{folder}/webhook.secret
      events: [break_glass]
issuers:
  - issuer: {url}
    name: company
    audience: {audience}
connections:
  shop:
    resource_groups: [shop, prod]
"""
MORE_POLICIES = """
@id("dba-reviews") permit (principal in Group::"dba",
  action in [Action::"approve", Action::"reject"], resource);
@id("copilot") permit (principal is Agent, action == Action::"act_for", resource);
"""


class Shop:
    def __init__(self, folder):
        self.receiver, self.issuer = Receiver(), LocalIssuer()
        policies = folder / "policies"
        policies.mkdir()
        for name in ("10-guard-rails.cedar", "40-break-glass.cedar"):
            (policies / name).write_text((ROOT / "policies" / name).read_text())
        (policies / "90.cedar").write_text(MORE_POLICIES)
        (folder / "webhook.secret").write_text(SECRET + "\n")
        (folder / "more.yaml").write_text(MORE.format(
            receiver=f"http://127.0.0.1:{self.receiver.port}", folder=folder, url=self.issuer.url,
            audience=AUDIENCE))
        self.demo = Demo(folder, "--policies", str(policies), "--config", str(folder / "more.yaml"))
        self.admin = Admin(self.demo.ready["admin"]["url"], self.demo.ready["ca_file"])

    def token(self, name="olga", **more):
        claims = {"sub": name, "aud": AUDIENCE, "client_id": "cli", "groups": ["sre-oncall"],
                  "acr": "phr", "auth_time": int(time.time()) - 10, "scope": "db:read db:write"}
        return self.issuer.token({**claims, **more})

    def run(self, token, *arguments):
        return subprocess.run(
            [BINARY, *arguments], capture_output=True, text=True, timeout=60, check=False,
            env={**os.environ, "SALLYPORT_GATEWAY": self.admin.url, "SALLYPORT_TOKEN": token,
                 "SALLYPORT_CA": self.demo.ready["ca_file"]})

    def connect(self, token, *options):
        return self.run(token, "connect", "shop", "--print", *options)

    def records(self, kind):
        done = self.demo.sallyport("ledger", "export", "--data", str(self.demo.data), "--kind", kind)
        return [json.loads(line)["data"] for line in done.stdout.splitlines()]


GLASS = ("--break-glass", "--ticket", "INC-4711", "--reason", "orders are stuck")


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    one = Shop(tmp_path_factory.mktemp("glass"))
    yield one
    one.demo.stop()
    one.receiver.close()
    one.issuer.close()


def test_break_glass_from_the_alert_to_the_review(shop):
    done = shop.connect(shop.token(), *GLASS)
    assert done.returncode == 0, done.stderr
    sql = "update orders set total = 17 where id = 1"
    with psycopg.connect(done.stdout.strip(), autocommit=True) as olga:
        started = time.monotonic()
        olga.execute(sql)
        # Somebody is told while it goes on.
        headers, body = shop.receiver.wait(
            "/pager", lambda one: one["data"]["ticket"] == "INC-4711", 10)
        assert time.monotonic() - started < 5
        check_signature(headers, body)
        alert = json.loads(body)
        assert alert["type"] == "break_glass.opened"
        assert alert["data"]["who"] == "company|olga"
        assert alert["data"]["reason"] == "orders are stuck"
        assert alert["data"]["alert"] == "page:security"
    session = alert["data"]["session"]

    # On record: the opening, the reason, and what was done, whole.
    opened = [one for one in shop.records("admin_change") if one["action"] == "break_glass.opened"]
    assert [one["target"] for one in opened] == [session] and "INC-4711" in opened[0]["detail"]
    begun = [one for one in shop.records("session_start") if one.get("break_glass")]
    assert len(begun) == 1 and "INC-4711" in json.dumps(begun)
    ran = [one for one in shop.records("command") if one["command"]["text"] == sql]
    assert len(ran) == 1 and "break-glass" in json.dumps(ran[0]["decision"])
    assert "sallyport_break_glass_total 1" in shop.admin.call("GET", "/metrics")[1]

    # It awaits a review, of somebody else.
    dana = shop.demo.ready["users"]["dana"]["token"]
    listed = shop.run(dana, "approvals", "reviews").stdout
    assert session in listed and "INC-4711: orders are stuck" in listed and "review due" in listed
    assert shop.run(shop.demo.ready["users"]["bob"]["token"], "approvals", "reviews").stdout == ""
    own = shop.run(shop.token(groups=["sre-oncall", "dba"]), "approvals", "review", session,
                   "--finding", "fine")
    assert own.returncode != 0 and "nobody reviews what they did themselves" in own.stderr
    done = shop.run(dana, "approvals", "review", session, "--finding", "as the ticket says")
    assert done.returncode == 0, done.stderr
    assert shop.run(dana, "approvals", "reviews").stdout == ""
    assert "reviewed by dana" in shop.run(dana, "approvals", "reviews", "--all").stdout
    again = shop.run(dana, "approvals", "review", session, "--finding", "again")
    assert again.returncode != 0 and "reviewed already" in again.stderr
    reviewed = [one for one in shop.records("admin_change")
                if one["action"] == "break_glass.reviewed"]
    assert [(one["who"], one["target"], one["detail"]) for one in reviewed] == [
        ("dana", session, "as the ticket says")]
    assert shop.demo.sallyport("ledger", "verify", "--data", str(shop.demo.data)).returncode == 0


@pytest.mark.parametrize("options, told", [
    (("--break-glass",), "needs a ticket and a purpose"),
    (("--break-glass", "--ticket", "INC-1"), "needs a ticket and a purpose"),
    (("--break-glass", "--reason", "x"), "needs a ticket and a purpose"),
    (("--ticket", "INC-1", "--reason", "x"), "no connection"),
    ((), "no connection")])
def test_it_is_asked_for_whole_or_not_at_all(shop, options, told):
    done = shop.connect(shop.token(), *options)
    assert done.returncode != 0 and told in done.stderr, done.stderr


@pytest.mark.parametrize("claims", [
    {"acr": "mfa"}, {"auth_time": int(time.time()) - 3600}, {"groups": ["support"]}],
    ids=["not phishing-resistant", "not fresh", "not on call"])
def test_it_is_for_those_whom_the_policy_means(shop, claims):
    done = shop.connect(shop.token(**claims), *GLASS)
    assert done.returncode != 0 and "no connection" in done.stderr, done.stderr


def test_it_is_not_for_agents(shop):
    agent = shop.admin.agent_token(
        "support-copilot", shop.demo.ready["agents"]["support-copilot"]["client_secret"])
    status, body = shop.admin.exchange(shop.token(), agent)
    assert status == 200, body
    for token in (agent, body["access_token"]):
        done = shop.connect(token, *GLASS)
        assert done.returncode != 0 and "for people, and not for agents" in done.stderr


def test_it_ends_when_its_time_is_over(shop):
    """Idle, and in the middle of a result; others' sessions end with the next thing that they do."""
    ends = int(time.time()) + 15
    token = shop.token("oleg", exp=ends)
    dsn = shop.connect(token, *GLASS).stdout.strip()
    with psycopg.connect(dsn, autocommit=True) as idle, psycopg.connect(dsn) as streaming:
        copied = 0
        with pytest.raises(psycopg.OperationalError):  # psycopg does not always read why
            with streaming.cursor().copy(
                    "copy (select generate_series(1, 1000000000), repeat('x', 100)) to stdout"
            ) as rows:
                for row in rows:
                    copied += len(row)
        assert copied > 0 and -1 < time.time() - ends < 3
        with pytest.raises(psycopg.OperationalError):
            idle.execute("select 1")
    ended = [one for one in shop.records("session_end") if "time of break-glass" in json.dumps(one)]
    assert len(ended) == 2, ended
    assert len(shop.run(shop.demo.ready["users"]["dana"]["token"], "approvals",
                        "reviews").stdout.splitlines()) >= 2


def test_it_is_not_for_definitions(shop):
    done = shop.connect(shop.token(), *GLASS)
    with psycopg.connect(done.stdout.strip(), autocommit=True) as olga:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            olga.execute("drop table orders")
