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

    def plain(self):
        return self.issuer.token({"sub": "carol", "aud": AUDIENCE, "client_id": "cli",
                                  "groups": ["support"]})

    def whoami(self, proof=None, scheme="DPoP", token=None):
        headers = {"Authorization": f"{scheme} {token or self.token}"}
        if proof is not None:
            headers["DPoP"] = proof
        return self.admin.call("GET", "/api/v1/whoami", None, headers)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    one = Shop(tmp_path_factory.mktemp("dpop"))
    time.sleep(6.1)  # proofs that may have been used before the start are refused
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


def test_a_proof_with_a_token_that_is_not_bound_is_none(shop):
    token = shop.plain()
    assert shop.whoami(None, "Bearer", token)[0] == 200
    status, body = shop.whoami(shop.proof(token=token), "DPoP", token)
    assert status == 401 and "not bound" in body["detail"], body


def prime_8192():
    """That of ffdhe8192 (RFC 7919, appendix A.5), from its formula."""
    e, term, k, bits = 0, 1 << 8200, 0, 8200
    while term:
        e += term
        k += 1
        term //= k
    return 2**8192 - 2**8128 + ((e >> (bits - 8062)) + 10965728) * 2**64 - 1


def test_nobody_has_a_key_made_that_costs_what_they_like(shop):
    """An RSA modulus that is a prime keeps OpenSSL busy for most of a second, each time."""
    jwk = {"kty": "RSA", "n": encode(prime_8192().to_bytes(1024, "big")), "e": "AQAB"}
    start = time.monotonic()
    for number in range(20):
        head = {"alg": "RS256" if number % 2 else "ES256", "typ": "dpop+jwt", "jwk": jwk}
        proof = ".".join([encode(json.dumps(head).encode()), "e30", "AAAA"])
        for token in ("x", shop.token):
            status, body = shop.whoami(proof, token=token)
            assert status == 401 and ("P-256" in body["detail"] or "ES256" in body["detail"]), body
    assert time.monotonic() - start < 5


def test_proofs_of_tokens_that_are_not_good_are_not_remembered(shop):
    jti = uuid.uuid4().hex
    for token in ("x", shop.plain(), shop.token + "x", shop.bound(Key())):
        assert shop.whoami(shop.proof(token=token, jti=jti), token=token)[0] == 401
    assert shop.whoami(shop.proof(jti=jti))[0] == 200
    assert shop.whoami(shop.proof(jti=jti))[0] == 401


def test_what_is_asked_for_is_what_is_taken(shop):
    import ssl
    import urllib.error
    import urllib.request
    context = ssl.create_default_context(cafile=shop.demo.ready["ca_file"])
    try:
        urllib.request.urlopen(shop.admin.url + "/api/v1/whoami", context=context)
        raise AssertionError("nobody was asked who they are")
    except urllib.error.HTTPError as error:
        asked = error.headers.get_all("WWW-Authenticate")
    assert 'DPoP error="invalid_token", algs="ES256 EdDSA"' in asked, asked


def test_a_proof_of_another_key_is_none(shop):
    other = Key()
    assert shop.whoami(shop.proof(key=other))[0] == 401
    # Signed by another key than the one it shows.
    assert shop.whoami(shop.proof(key=other, header={"jwk": public(shop.key)}))[0] == 401
    # And a thief's own key does not help with a token that is bound to ours.
    assert shop.whoami(shop.proof(key=other, token=shop.token))[0] == 401
