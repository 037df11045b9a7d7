"""Nothing of the client's credential reaches the target, and nothing of the target's reaches a client, a log or the
ledger; and the target is told who asks by an assertion that it can check."""

import base64
import gzip
import json
import subprocess
import time

import pytest
import requests
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from conftest import BINARY
from web import CONNECTION, SECRET, WebGateway, forget, running_gateway, target  # noqa: F401

BASIC = """\
  basic:
    protocol: http
    url: http://127.0.0.1:{port}
    credential: {{user: gateway, password: "file:target.secret"}}
    audience: https://basic.internal
  silent:
    protocol: http
    url: http://127.0.0.1:{port}
    assertion: false
"""
POLICIES = """\
@id("all") permit (principal, action, resource);
"""


@pytest.fixture(scope="module")
def gateway(target, tmp_path_factory):
    yield from running_gateway(WebGateway(tmp_path_factory.mktemp("credentials"),
                         CONNECTION.format(port=target.port) + BASIC.format(port=target.port), POLICIES))


def decoded(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def assertion(gateway, headers):
    """The claims, after the signature was checked with the keys that the gateway publishes."""
    head, body, signature = dict(headers)["Sallyport-Assertion"].split(".")
    key = next(key for key in requests.get(f"{gateway.url}/.well-known/jwks.json").json()["keys"]
               if key["kid"] == json.loads(decoded(head))["kid"])
    assert json.loads(decoded(head))["alg"] == "ES256"
    assert json.loads(decoded(head))["typ"] == "sallyport-assertion+jwt"
    x, y = (int.from_bytes(decoded(key[name]), "big") for name in ("x", "y"))
    raw = decoded(signature)
    ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key().verify(
        encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")),
        f"{head}.{body}".encode(), ec.ECDSA(hashes.SHA256()))
    return json.loads(decoded(body))


def test_the_assertion_names_the_whole_chain(gateway, target):
    requests.get(f"{gateway.url}/c/crm/x", headers=gateway.bearer(actors=["copilot"], name="Alice"))
    headers = target.requests[0][1]
    claims = assertion(gateway, headers)
    assert claims["iss"] == gateway.url and claims["aud"] == f"http://127.0.0.1:{target.port}"
    assert 0 < claims["exp"] - time.time() <= 60 and claims["exp"] - claims["iat"] == 60
    assert (claims["sub"], claims["sub_id"], claims["sub_iss"]) == ("alice", "alice", gateway.issuer.url)
    assert claims["groups"] == ["support"] and claims["name"] == "Alice" and claims["connection"] == "crm"
    assert claims["act"] == {"sub": "copilot", "sub_iss": gateway.issuer.url, "sub_id": "copilot"}
    session, record = dict(headers)["Sallyport-Request"].split("/")
    assert claims["txn"] == session
    command = next(one for one in gateway.records() if one["sequence"] == int(record))
    assert command["session"] == session and command["data"]["who"] == "alice via copilot"


def test_audience_and_switching_it_off(gateway, target):
    requests.get(f"{gateway.url}/c/basic/x", headers=gateway.bearer())
    requests.get(f"{gateway.url}/c/silent/x", headers=gateway.bearer())
    (_, basic, _), (_, silent, _) = target.requests
    assert assertion(gateway, basic)["aud"] == "https://basic.internal"
    assert "act" not in assertion(gateway, basic)
    assert "Sallyport-Assertion" not in dict(silent) and "X-Api-Key" not in dict(silent)
    pair = base64.b64encode(f"gateway:{SECRET}".encode()).decode()
    assert dict(basic)["Authorization"] == f"Basic {pair}"


def test_a_target_that_shows_the_credential_is_caught(gateway, target):
    basic = base64.b64encode(f"gateway:{SECRET}".encode())
    def body(text, chunks=1):
        def answer(handler, _):
            handler.send_response(200)
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            size = -(-len(text) // chunks)
            for start in range(0, len(text), size):
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(text[start:start + size]), text[start:start + size]))
                handler.wfile.flush()
                time.sleep(0.005)
            handler.wfile.write(b"0\r\n\r\n")
        return answer
    def header(handler, _):
        handler.send_response(200)
        handler.send_header("X-Echo", "you sent " + SECRET)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
    target.special["/body"] = body(b"you sent " + SECRET.encode() + b"!")
    target.special["/torn"] = body(b"you sent " + SECRET.encode() + b"!", chunks=12)
    target.special["/basic"] = body(b"you sent " + basic)
    target.special["/header"] = header
    for connection, path in [("crm", "/body"), ("crm", "/torn"), ("crm", "/header"), ("basic", "/basic"),
                             ("basic", "/body")]:
        answer = gateway.raw(f"GET /c/{connection}{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                             f"Authorization: {gateway.bearer()['Authorization']}\r\n\r\n".encode(), keep=True)
        assert SECRET.encode() not in answer and basic not in answer, path
        assert not answer.endswith(b"0\r\n\r\n"), path  # it is broken off, or 502
        assert SECRET[:12].encode() not in answer
    assert any(one["data"]["event"] == "a target showed the gateway's credential"
               for one in gateway.records("--kind", "gateway"))


def test_credentials_are_in_no_byte_of_the_other_side(gateway, target):
    """After everything that a client can do: grep."""
    good, ticketless = gateway.token(), gateway.token(exp=1000)
    seen = b""
    for path in ("/x", "/y?token=abc", "/notes"):
        for token in (good, ticketless, "garbage-token-8812"):
            for connection in ("crm", "basic", "nothing"):
                seen += gateway.raw(f"POST /c/{connection}{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n"
                                    f"Authorization: Bearer {token}\r\nX-Copy: no\r\n\r\nhi".encode())
    seen += gateway.raw(f"POST /c/crm/x HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {good}\r\n"
                        f"Transfer-Encoding: x\r\n\r\n".encode())
    time.sleep(0.3)
    exported = subprocess.run([BINARY, "ledger", "export", "--data", gateway.data], capture_output=True,
                              check=True).stdout
    files = b"".join(path.read_bytes() for path in sorted(gateway.data.rglob("*")) if path.is_file())
    sent = repr(target.requests).encode()
    assert len(target.requests) == 6 and b"hi" in sent
    pair = base64.b64encode(f"gateway:{SECRET}".encode())
    for part in (good, ticketless, good.split(".")[2], "garbage-token-8812"):
        for where, text in (("target", sent), ("log", gateway.output().encode()), ("ledger", exported),
                            ("client", seen), ("data", files)):
            assert part.encode() not in text, (where, part)
    for part in (SECRET.encode(), pair):
        for where, text in (("client", seen), ("log", gateway.output().encode()), ("ledger", exported),
                            ("data", files)):
            assert part not in text, where
        assert part in sent  # the test looks for the right thing
