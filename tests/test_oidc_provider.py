"""Tokens of a third-party OpenID provider (npm oidc-provider), all the way through psql."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import urllib.request

import pytest
from conftest import BINARY, ROOT, Demo

AUDIENCE = "https://gateway.example.com"


@pytest.fixture(scope="module")
def provider(tmp_path_factory):
    # Installed beside a copy, so that a test run leaves nothing in the tree.
    folder = tmp_path_factory.mktemp("oidc")
    for name in ("package.json", "package-lock.json", "server.mjs"):
        shutil.copy(ROOT / "tests/oidc" / name, folder)
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=folder, check=True,
                   timeout=300)
    server = subprocess.Popen(["node", "server.mjs", "--port", "0", "--audience", AUDIENCE],
                              cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True)
    issuer = json.loads(server.stdout.readline())["issuer"]
    with urllib.request.urlopen(f"{issuer}/test/tokens", timeout=60) as answer:
        tokens = json.loads(answer.read())
    yield issuer, tokens
    server.terminate()
    server.wait(30)


@pytest.fixture(scope="module")
def gateway(provider, tmp_path_factory):
    issuer, _ = provider
    folder = tmp_path_factory.mktemp("demo")
    config = folder / "more.yaml"
    config.write_text(f"""\
issuers:
  - issuer: {issuer}
    name: company
    audience: {AUDIENCE}
    agents:
      support-copilot: {{}}
""")
    running = Demo(folder, "--config", str(config))
    yield running
    running.stop()


def connect(gateway, user, token):
    dsn = re.sub(r"//[^@]*@", f"//{user}%23jwt:{token}@", gateway.dsn("alice"))
    return subprocess.run(["psql", "-X", "-A", "-t", dsn, "-c", "select count(*) from orders"],
                          capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("name", ["good_es256", "good_rs256", "good_ps256"])
def test_a_token_of_the_provider_is_accepted(gateway, provider, name):
    done = connect(gateway, "company%7Calice", provider[1][name])
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "1000"


@pytest.mark.parametrize("name, told", [
    ("expired", "expired"),
    ("wrong_audience", "meant for another service"),
    ("wrong_issuer", "issuer"),
    ("unknown_key", "token"),
    ("wrong_signature", "token"),
    ("none", "token"),
    ("hs256_with_public_key", "token"),
    ("impersonation", "agent"),
])
def test_a_bad_token_is_refused_with_a_reason(gateway, provider, name, told):
    done = connect(gateway, "company%7Calice", provider[1][name])
    assert done.returncode == 2
    assert told in done.stderr
    assert provider[1][name] not in done.stderr
    assert done.stdout == ""


def test_every_token_kind_is_judged_as_it_should_be(provider):
    """The same tokens, against what exactly the authenticator says of each."""
    test = pathlib.Path(BINARY).parent.parent / "identity/identity_test"
    if not test.exists():
        pytest.skip("identity_test is not built")
    done = subprocess.run([test, "--gtest_filter=Oidc*"], capture_output=True, text=True,
                          timeout=120, env={**os.environ, "SALLYPORT_OIDC_ISSUER": provider[0]})
    assert done.returncode == 0, done.stdout
    assert "ABSENT" not in done.stdout
