"""Agents that act for people: both tokens become one, and the whole chain decides."""

import base64
import json
import subprocess
import urllib.parse

import pytest
from agents import ACCESS, EXCHANGE, Admin, dsn, psql
from conftest import Demo

MORE = """\
builtin_issuer:
  agents:
    helper: {name: Helper, owner: alice, secret: "helper-secret"}
    third: {name: Third, owner: alice, secret: "third-secret"}
    fourth: {name: Fourth, owner: alice, secret: "fourth-secret"}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("delegation")
    more = folder / "more.yaml"
    more.write_text(MORE)
    demo = Demo(folder, "--config", str(more))
    yield Shop(demo)
    demo.stop()


class Shop:
    def __init__(self, demo):
        self.demo = demo
        self.admin = Admin(demo.ready["admin"]["url"], demo.ready["ca_file"])
        self.secrets = {"support-copilot": demo.ready["agents"]["support-copilot"]["client_secret"],
                        **{name: f"{name}-secret" for name in ("helper", "third", "fourth")}}

    def user(self, name):
        return self.demo.ready["users"][name]["token"]

    def agent(self, name="support-copilot"):
        return self.admin.agent_token(name, self.secrets[name])

    def delegated(self, user, *agents, **more):
        token = self.user(user)
        for name in agents or ("support-copilot",):
            status, body = self.admin.exchange(token, self.agent(name), **more)
            assert status == 200, body
            token = body["access_token"]
        return token

    def psql(self, user, token, *commands):
        return psql(dsn(self.demo.ready["postgres"]["port"], user, token,
                        self.demo.ready["ca_file"]), *commands)

    def records(self, *options):
        done = self.demo.sallyport("ledger", "export", "--data", str(self.demo.data), *options)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]


def claims(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_the_chain_is_in_the_decision_the_record_and_the_targets_log(shop):
    token = shop.delegated("alice")
    assert claims(token)["act"]["sub"] == "support-copilot"
    done = shop.psql("alice", token, "select count(*) from orders /* by the copilot */",
                     "select application_name from pg_stat_activity where pid = pg_backend_pid()")
    assert done.stdout.splitlines()[0] == "1000", done.stderr
    # The second is for operators only: what it asks about is checked with dana's eyes below.
    records = shop.records("--kind", "command")
    mine = [one for one in records if "by the copilot" in json.dumps(one)]
    assert len(mine) == 1
    text = json.dumps(mine[0])
    assert '"alice via support-copilot"' in text
    for principal in ('User::\\"alice\\"', 'Agent::\\"support-copilot\\"'):
        assert principal in text
    assert "act_for" in text
    exchanged = [one for one in shop.records("--kind", "admin_change")
                 if claims(token)["txn"] in json.dumps(one)]
    assert len(exchanged) == 1
    started = [one for one in shop.records("--kind", "session_start")
               if claims(token)["txn"] in json.dumps(one)]
    assert len(started) == 1


def test_the_targets_log_names_the_chain(shop):
    client = subprocess.Popen(
        ["psql", "-X", "-q", "-A", "-t",
         dsn(shop.demo.ready["postgres"]["port"], "alice", shop.delegated("alice"),
             shop.demo.ready["ca_file"])],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    client.stdin.write("select 'here', count(*) from orders;\n")
    client.stdin.flush()
    assert client.stdout.readline().startswith("here")
    seen = shop.demo.psql("dana", "select application_name from pg_stat_activity")
    assert "alice via support-copilot" in seen.stdout, seen.stdout
    client.communicate("\\q\n", timeout=30)


def test_copilot_for_a_user_who_lacks_the_right(shop):
    """sam may read orders, but is not support: nobody lets the copilot act for him."""
    done = shop.psql("sam", shop.delegated("sam"), "select 1")
    assert done.returncode == 2
    assert "support-copilot" in done.stderr and "act for" in done.stderr
    # bob may not even connect himself, so the copilot cannot for him.
    done = shop.psql("bob", shop.delegated("bob"), "select 1")
    assert done.returncode == 2 and "bob" in done.stderr


def test_the_user_may_but_the_agent_may_not(shop):
    """information_schema is alice's to read; the copilot's ceiling is lower."""
    query = "select count(*) > 0 from information_schema.tables"
    assert shop.demo.psql("alice", query).stdout.strip() == "t"
    done = shop.psql("alice", shop.delegated("alice"), query, "select count(*) from orders")
    assert "support-copilot" in done.stderr and "42501" in done.stderr
    assert done.stdout.strip() == "1000"


def test_the_agent_may_no_more_than_the_user(shop):
    done = shop.psql("alice", shop.delegated("alice"), "delete from orders")
    assert "support-is-read-only" in done.stderr


def test_without_the_scope_the_agent_reads_nothing(shop):
    done = shop.psql("alice", shop.delegated("alice", scope="openid"), "select 1")
    assert done.returncode == 2 and "act for" in done.stderr


def test_an_agent_alone_may_nothing(shop):
    done = shop.psql("support-copilot", shop.agent(), "select 1")
    assert done.returncode == 2
    assert "support-copilot" in done.stderr and "connect" in done.stderr


def test_a_chain_spliced_from_another_users_token(shop):
    """bob's token with alice's delegation glued in, in each way that a forger has."""
    alice, bob = shop.delegated("alice"), shop.user("bob")
    header, body, signature = alice.split(".")
    spliced = {**claims(bob), "act": claims(alice)["act"], "sub": "alice"}
    payload = base64.urlsafe_b64encode(json.dumps(spliced).encode()).rstrip(b"=").decode()
    for forged in (f"{header}.{payload}.{signature}",
                   f"{bob.split('.')[0]}.{payload}.{bob.split('.')[2]}",
                   f"{bob.split('.')[0]}.{body}.{signature}"):
        done = shop.psql("alice", forged, "select 1")
        assert done.returncode == 2 and "cannot be verified" in done.stderr, done.stderr
        status, refused = shop.admin.exchange(forged, shop.agent("helper"))
        assert (status, refused["error"]) == (400, "invalid_request")
    # The good token, under another user's name.
    done = shop.psql("bob", alice, "select 1")
    assert done.returncode == 2


def test_three_actors_are_the_limit(shop):
    token = shop.delegated("alice", "support-copilot", "helper", "third")
    who = shop.admin.api("GET", "/api/v1/whoami", token)[1]
    assert who["name"] == "alice via support-copilot via helper via third"
    status, refused = shop.admin.exchange(token, shop.agent("fourth"))
    assert (status, refused["error"]) == (400, "invalid_request")
    # Nobody permits the helpers anything, so the longer chain may less, not more.
    done = shop.psql("alice", token, "select 1")
    assert done.returncode == 2


def test_unknown_actors_and_impersonators_are_refused(shop):
    status, refused = shop.admin.exchange(shop.user("alice"), shop.user("bob"))
    assert (status, refused["error"]) == (400, "invalid_request")
    status, refused = shop.admin.exchange(shop.user("alice"), None)
    assert status == 400 and "actor_token" in refused["error_description"]
    status, refused = shop.admin.exchange(shop.delegated("alice"), shop.delegated("bob"))
    assert (status, refused["error"]) == (400, "invalid_request")


def test_scopes_and_targets_only_shrink(shop):
    for more, error in (({"scope": "db:read db:write"}, "invalid_scope"),
                        ({"audience": "https://bank.example"}, "invalid_target"),
                        ({"resource": "https://bank.example"}, "invalid_target"),
                        ({"client_id": "helper"}, "invalid_client"),
                        ({"requested_token_type": ACCESS + "x"}, "invalid_request")):
        _, refused = shop.admin.exchange(shop.user("alice"), shop.agent(), **more)
        assert refused["error"] == error, refused


def test_a_ticket_keeps_the_chain(shop):
    status, ticket = shop.admin.api("POST", "/api/v1/tickets", shop.delegated("alice"),
                                    {"connection": "shop"})
    assert status == 201, ticket
    text = (f"host=127.0.0.1 port={ticket['port']} dbname=shop user=alice "
            f"password={ticket['ticket']} sslmode=verify-full "
            f"sslrootcert={shop.demo.ready['ca_file']}")
    done = psql(text, "select count(*) from orders", "select * from information_schema.tables")
    assert done.stdout.strip() == "1000"
    assert "support-copilot" in done.stderr


def test_discovery_names_the_grant(shop):
    for path in ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"):
        document = shop.admin.call("GET", path)[1]
        assert EXCHANGE in document["grant_types_supported"]
    keys = shop.admin.call("GET", "/.well-known/jwks.json")[1]["keys"]
    assert len(keys) == 2 and all("d" not in key for key in keys)


def test_refusals_are_recorded(shop):
    shop.admin.exchange(shop.user("alice"), shop.user("bob"))
    refused = [one for one in shop.records("--kind", "admin_change")
               if "token.refused" in json.dumps(one)]
    assert refused and "not of an agent" in json.dumps(refused[-1])
    assert shop.user("alice") not in json.dumps(refused)


def test_the_user_may_reveal_but_the_agent_may_not(start_demo, tmp_path):
    """Scenario S14 of the model: what dana sees in clear, the copilot for dana sees masked."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/10.cedar").write_text("""\
@id("dba") permit (principal in Group::"dba", action, resource);
@id("agents-act") permit (principal is Agent, action == Action::"act_for", resource);
@id("agents-read") permit (principal is Agent,
  action in [Action::"connect", Action::"sql:read"], resource);
""")
    shop = Shop(start_demo("--policies", str(tmp_path / "policies")))
    query = "select email from customers order by id limit 1"
    own = shop.demo.psql("dana", query).stdout.strip()
    through = shop.psql("dana", shop.delegated("dana"), query)
    assert "@" in own
    assert through.returncode == 0 and through.stdout.strip() not in ("", own), through.stderr
    recorded = [one for one in shop.records("--kind", "command")
                if one["data"]["command"]["text"] == query]
    assert len(recorded) == 2
    assert "reveal" in json.dumps(recorded[1]["data"]["command"])
