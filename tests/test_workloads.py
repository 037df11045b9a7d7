"""CI jobs, pods and services: tokens in the shapes that GitHub Actions, GitLab CI, Kubernetes and SPIRE give,
from a local issuer, and the rules that say which is which workload."""

import json
import subprocess
import time

import pytest
from agents import Admin, dsn, psql
from conftest import BINARY, Demo
from local_issuer import LocalIssuer

AUDIENCE = "https://gateway.example.com"
POLICY = """\
@id("main-migrates")
permit (principal in Group::"ci-migrators", action, resource in Connection::"shop")
when { principal has repoId && principal.repoId == "456789" && principal has ref &&
       principal.ref == "refs/heads/main" && principal has environment &&
       principal.environment == "production" };
@id("deployers") permit (principal in Group::"deployers", action, resource in Connection::"shop")
when { principal has ref && principal.ref == "main" };
@id("reporting") permit (principal == Workload::"k8s|reporting", action, resource in Connection::"shop");
@id("billing") permit (principal is Workload, action, resource in Connection::"shop")
when { principal has spiffeId && principal.spiffeId like "spiffe://example.com/ns/billing/*" };
"""
CONFIG = """\
issuers:
  - issuer: {github}
    name: github
    audience: {audience}
    access_token_typ: JWT
    workloads:
      shop-migrations:
        when:
          repository_id: "456789"
          repository_owner_id: 1234
          ref: [refs/heads/main, refs/heads/release/*]
          environment: production
          job_workflow_ref: acme/shop/.github/workflows/migrate.yml@*
        groups: [ci-migrators]
        owner: dana
        expires: 2099-01-31
      ended:
        when: {{repository_id: "999"}}
        groups: [ci-migrators]
        owner: dana
        expires: 2024-01-31
  - issuer: {gitlab}
    name: gitlab
    audience: {audience}
    access_token_typ: JWT
    workloads:
      shop-deploy:
        when: {{project_id: "22", ref: main, ref_protected: "true", environment_protected: "true"}}
        groups: [deployers]
        owner: dana
        expires: 2099-01-31
  - issuer: {k8s}
    name: k8s
    audience: {audience}
    access_token_typ: none
    workloads:
      reporting:
        when:
          kubernetes.io.namespace: shop
          kubernetes.io.serviceaccount.uid: 2c5d0b52-5d6e-4f0e-9a3e-0c5f0f6f4f11
        owner: sam
        expires: 2099-01-31
  - issuer: {spiffe}
    name: spiffe
    audience: {audience}
    access_token_typ: none
    workloads:
      billing:
        when: {{sub: "spiffe://example.com/ns/billing/*"}}
        owner: sam
        expires: 2099-01-31
"""
HEADERS = {"github": {"typ": "JWT", "x5t": "ykNaY4qM_ta4k2TgZOCEYLkcYlA"}, "gitlab": {"typ": "JWT"},
           "k8s": {"typ": None}, "spiffe": {"typ": "JWT"}}
SHAPES = {
    "github": {
        "sub": "repo:acme/shop:environment:production", "ref": "refs/heads/main",
        "sha": "da39a3ee5e6b4b0d3255bfef95601890afd80709", "repository": "acme/shop",
        "repository_owner": "acme", "repository_owner_id": "1234", "repository_id": "456789",
        "repository_visibility": "private", "run_id": "9876543210", "run_number": "42",
        "run_attempt": "1", "actor_id": "77", "actor": "dana", "workflow": "migrate",
        "workflow_ref": "acme/shop/.github/workflows/migrate.yml@refs/heads/main", "head_ref": "",
        "base_ref": "", "event_name": "workflow_dispatch", "ref_protected": "true",
        "ref_type": "branch", "environment": "production", "runner_environment": "github-hosted",
        "job_workflow_ref": "acme/shop/.github/workflows/migrate.yml@refs/heads/main"},
    "gitlab": {
        "sub": "project_path:acme/shop:ref_type:branch:ref:main", "namespace_id": "72",
        "namespace_path": "acme", "project_id": "22", "project_path": "acme/shop", "user_id": "5",
        "user_login": "dana", "user_email": "dana@example.com", "pipeline_id": "574",
        "pipeline_source": "web", "job_id": "302", "ref": "main", "ref_type": "branch",
        "ref_path": "refs/heads/main", "ref_protected": "true", "environment": "production",
        "environment_protected": "true", "runner_id": 1, "runner_environment": "self-hosted",
        "ci_config_ref_uri": "gitlab.example.com/acme/shop//.gitlab-ci.yml@refs/heads/main"},
    "k8s": {
        "sub": "system:serviceaccount:shop:reporting",
        "kubernetes.io": {
            "namespace": "shop", "node": {"name": "n1", "uid": "646e7c5e"},
            "pod": {"name": "reporting-5d", "uid": "a1b2"},
            "serviceaccount": {"name": "reporting",
                               "uid": "2c5d0b52-5d6e-4f0e-9a3e-0c5f0f6f4f11"}}},
    "spiffe": {"sub": "spiffe://example.com/ns/billing/sa/api", "jti": None},
}
IDS = {"github": "github|shop-migrations", "gitlab": "gitlab|shop-deploy", "k8s": "k8s|reporting",
       "spiffe": "spiffe|billing"}


class World:
    def __init__(self, folder):
        self.issuers = {name: LocalIssuer("ES256" if name == "spiffe" else "RS256")
                        for name in SHAPES}
        more = folder / "more.yaml"
        more.write_text(CONFIG.format(audience=AUDIENCE,
                                      **{name: one.url for name, one in self.issuers.items()}))
        policies = folder / "policies"
        policies.mkdir()
        (policies / "ci.cedar").write_text(POLICY)
        self.demo = Demo(folder, "--config", str(more), "--policies", str(policies))
        self.admin = Admin(self.demo.ready["admin"]["url"], self.demo.ready["ca_file"])

    def token(self, name, **more):
        return self.issuers[name].token({"aud": AUDIENCE, **SHAPES[name], **more}, HEADERS[name])

    def psql(self, name, token, *commands):
        return psql(dsn(self.demo.ready["postgres"]["port"], IDS[name], token,
                        self.demo.ready["ca_file"]), *commands)

    def stop(self):
        self.demo.stop()
        for one in self.issuers.values():
            one.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    one = World(tmp_path_factory.mktemp("workloads"))
    yield one
    one.stop()


@pytest.mark.parametrize("name", SHAPES)
def test_a_workload_connects_as_its_rule_says(world, name):
    done = world.psql(name, world.token(name), "select count(*) from orders")
    assert done.stdout.strip() == "1000", done.stderr
    status, who = world.admin.api("GET", "/api/v1/whoami", world.token(name))
    assert status == 200 and who["name"] == IDS[name]
    assert who["chain"][0]["kind"] == "Workload"
    started = world.demo.sallyport("ledger", "export", "--data", str(world.demo.data), "--kind",
                                   "session_start").stdout
    assert IDS[name] in started


@pytest.mark.parametrize("name, more", [
    ("github", {"repository_id": "4567890"}),
    ("github", {"repository_id": None}),
    ("github", {"repository_owner_id": "12345"}),  # the repository moved to somebody else
    ("github", {"ref": "refs/heads/feature"}),
    ("github", {"ref": "refs/tags/refs/heads/main"}),
    ("github", {"environment": None}),
    ("github", {"job_workflow_ref": "evil/shop/.github/workflows/migrate.yml@refs/heads/main"}),
    ("github", {"job_workflow_ref": "acme/shop/.github/workflows/migrate.yml2@refs/heads/main"}),
    ("github", {"repository_id": "999"}),  # a rule that has ended
    ("github", {"repository_id": ["456789"]}),
    ("github", {"aud": "https://github.com/acme"}),
    ("github", {"nonce": "x"}),
    ("gitlab", {"ref_protected": "false"}),
    ("gitlab", {"ref_protected": None}),
    ("gitlab", {"environment_protected": "false"}),
    ("gitlab", {"project_id": "2"}),
    ("k8s", {"kubernetes.io": {**SHAPES["k8s"]["kubernetes.io"], "namespace": "other"}}),
    ("k8s", {"kubernetes.io": {"namespace": "shop",
                               "serviceaccount": {"name": "reporting", "uid": "another"}}}),
    ("k8s", {"kubernetes.io": None}),
    ("k8s", {"aud": ["https://kubernetes.default.svc"]}),
    ("spiffe", {"sub": "spiffe://example.com/ns/billing2/sa/api"}),
    ("spiffe", {"sub": "spiffe://evil.example/ns/billing/sa/api"}),
    ("spiffe", {"exp": int(time.time()) - 600}),
])
def test_what_fits_no_rule_is_refused(world, name, more):
    status, refused = world.admin.api("GET", "/api/v1/whoami", world.token(name, **more))
    assert status == 401, refused
    assert world.psql(name, world.token(name, **more), "select 1").returncode == 2


def test_the_policies_see_what_the_issuer_says(world):
    """A release branch fits the rule, but the policy wants main."""
    token = world.token("github", ref="refs/heads/release/7")
    assert world.admin.api("GET", "/api/v1/whoami", token)[0] == 200
    assert world.psql("github", token, "select 1").returncode == 2


def test_one_issuer_cannot_speak_for_another(world):
    """GitHub's key, Kubernetes' claims."""
    forged = world.issuers["github"].token(
        {"aud": AUDIENCE, **SHAPES["k8s"], "iss": world.issuers["k8s"].url}, HEADERS["k8s"])
    assert world.admin.api("GET", "/api/v1/whoami", forged)[0] == 401


def test_a_workload_is_no_agent(world):
    secret = world.demo.ready["agents"]["support-copilot"]["client_secret"]
    copilot = world.admin.agent_token("support-copilot", secret)
    alice = world.demo.ready["users"]["alice"]["token"]
    assert world.admin.exchange(alice, world.token("github"))[1]["error"] == "invalid_request"
    assert world.admin.exchange(world.token("github"), copilot)[1]["error"] == "invalid_request"


@pytest.mark.parametrize("rule, told", [
    ("when: {}\n        owner: dana\n        expires: 2099-01-31", "without predicates"),
    ("owner: dana\n        expires: 2099-01-31", "without predicates"),
    ('when: {ref: "*"}\n        owner: dana\n        expires: 2099-01-31', "lets any value in"),
    ("when: {ref: main}\n        expires: 2099-01-31", "owner"),
    ("when: {ref: main}\n        owner: dana", "expires"),
    ("when: {ref: main}\n        owner: dana\n        expires: soon", "is no day"),
    ("when: {ref: main}\n        owner: dana\n        expires: 2099-02-30", "is no day"),
    ("when: {sub: x}\n        owner: dana\n        expires: 2099-01-31", "GitHub's sub"),
])
def test_a_rule_that_would_let_anybody_in_is_refused(world, tmp_path, rule, told):
    config = tmp_path / "sallyport.yaml"
    config.write_text(f"""\
data: ./data
listeners:
  admin: {{port: 1, public_url: "http://127.0.0.1:1"}}
issuers:
  - issuer: https://token.actions.githubusercontent.com
    audience: a
    access_token_typ: JWT
    workloads:
      one:
        {rule}
policies: {world.demo.folder / "policies"}
""")
    done = subprocess.run([BINARY, "check", "--config", config], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 2
    assert told in done.stdout + done.stderr, done.stdout + done.stderr
    assert "sallyport.yaml:" in done.stdout + done.stderr
