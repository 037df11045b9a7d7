"""A token that is bound to a key is good on the admin port with a proof of that key, made for the
request, once (RFC 9449)."""

import hashlib
import json
import time
import uuid

import pytest
from agents import Admin, dsn, psql
from conftest import Demo
from local_issuer import Key, LocalIssuer, encode

AUDIENCE = "https://gateway.example.com"
MORE = """\
issuers:
  - issuer: {url}
    name: company
    audience: {audience}
"""


def public(key):
    return {name: value for name, value in key.jwk().items() if name in ("kty", "crv", "x", "y")}


def thumbprint(key):
    text = json.dumps(public(key), sort_keys=True, separators=(",", ":"))
    return encode(hashlib.sha256(text.encode()).digest())


class Shop:
    def __init__(self, folder):
        self.issuer = LocalIssuer()
        (folder / "more.yaml").write_text(MORE.format(url=self.issuer.url, audience=AUDIENCE))
        self.demo = Demo(folder, "--config", str(folder / "more.yaml"))
        self.admin = Admin(self.demo.ready["admin"]["url"], self.demo.ready["ca_file"])
        self.key = Key()
        self.token = self.bound(self.key)

    def bound(self, key):
        return self.issuer.token({"sub": "carol", "aud": AUDIENCE, "client_id": "cli",
                                  "groups": ["support"], "cnf": {"jkt": thumbprint(key)}})

    def proof(self, method="GET", path="/api/v1/whoami", key=None, token=None, header=None, **more):
        key = key or self.key
        head = {"alg": "ES256", "typ": "dpop+jwt", "jwk": public(key), **(header or {})}
        body = {"htm": method, "htu": self.admin.url + path, "iat": int(time.time()),
                "jti": uuid.uuid4().hex,
                "ath": encode(hashlib.sha256((token or self.token).encode()).digest()), **more}
        text = ".".join(encode(json.dumps(part).encode()) for part in (head, body))
        return f"{text}.{encode(key.sign(text.encode()))}"

    def whoami(self, proof=None, scheme="DPoP", token=None):
        headers = {"Authorization": f"{scheme} {token or self.token}"}
        if proof is not None:
            headers["DPoP"] = proof
        return self.admin.call("GET", "/api/v1/whoami", None, headers)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    one = Shop(tmp_path_factory.mktemp("dpop"))
    time.sleep(1.1)  # proofs of the second before the start are refused
    yield one
    one.demo.stop()
    one.issuer.close()


def test_a_bound_token_is_good_with_a_proof(shop):
    status, body = shop.whoami(shop.proof())
    assert status == 200 and body["name"] == "company|carol", body
    status, ticket = shop.admin.call(
        "POST", "/api/v1/tickets", json.dumps({"connection": "shop"}).encode(),
        {"Authorization": "DPoP " + shop.token, "Content-Type": "application/json",
         "DPoP": shop.proof("POST", "/api/v1/tickets")})
    assert status == 201, ticket


def test_a_proof_is_good_once(shop):
    proof = shop.proof()
    assert shop.whoami(proof)[0] == 200
    status, body = shop.whoami(proof)
    assert status == 401 and "used before" in body["detail"]


def test_a_bound_token_is_good_for_nothing_else(shop):
    for scheme, proof in (("Bearer", None), ("DPoP", None), ("Bearer", shop.proof())):
        status, body = shop.whoami(proof, scheme)
        assert status == 401, (scheme, body)
    done = psql(dsn(shop.demo.ready["postgres"]["port"], "company|carol", shop.token,
                    shop.demo.ready["ca_file"]), "select 1")
    assert done.returncode == 2 and "bound to a key" in done.stderr


@pytest.mark.parametrize("more, told", [
    ({"method": "POST"}, "another method"),
    ({"path": "/api/v1/tickets"}, "another address"),
    ({"htu": "https://bank.example/api/v1/whoami"}, "another address"),
    ({"token": "another"}, "another token"),
    ({"iat": int(time.time()) - 3600}, "too old"),
    ({"iat": int(time.time()) + 3600}, "too old"),
    ({"jti": ""}, "no jti"),
    ({"header": {"typ": "JWT"}}, "typ"),
    ({"header": {"alg": "none"}}, "proof"),
    ({"header": {"jwk": {"kty": "oct", "k": "AAAA"}}}, "key"),
])
def test_a_proof_of_something_else_is_none(shop, more, told):
    status, body = shop.whoami(shop.proof(**more))
    assert status == 401 and told in body["detail"], body
    assert shop.token not in json.dumps(body)


def test_a_proof_of_another_key_is_none(shop):
    other = Key()
    assert shop.whoami(shop.proof(key=other))[0] == 401
    # Signed by another key than the one it shows.
    assert shop.whoami(shop.proof(key=other, header={"jwk": public(shop.key)}))[0] == 401
    # And a thief's own key does not help with a token that is bound to ours.
    assert shop.whoami(shop.proof(key=other, token=shop.token))[0] == 401
