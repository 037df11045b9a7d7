"""An issuer of a test's own: discovery and keys over HTTP on loopback, and tokens of any shape."""

import base64
import http.server
import json
import threading
import time
import uuid

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, size):
    return encode(value.to_bytes(size, "big"))


class Key:
    """ES256 or RS256."""

    def __init__(self, algorithm="ES256", kid=None):
        self.algorithm = algorithm
        self.kid = kid or uuid.uuid4().hex
        self.private = (ec.generate_private_key(ec.SECP256R1()) if algorithm == "ES256" else
                        rsa.generate_private_key(public_exponent=65537, key_size=2048))

    def jwk(self):
        numbers = self.private.public_key().public_numbers()
        shape = ({"kty": "EC", "crv": "P-256", "x": number(numbers.x, 32),
                  "y": number(numbers.y, 32)} if self.algorithm == "ES256" else
                 {"kty": "RSA", "n": number(numbers.n, 256), "e": "AQAB"})
        return {**shape, "kid": self.kid, "alg": self.algorithm, "use": "sig"}

    def sign(self, text):
        if self.algorithm == "RS256":
            return self.private.sign(text, padding.PKCS1v15(), hashes.SHA256())
        r, s = decode_dss_signature(self.private.sign(text, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class LocalIssuer:
    def __init__(self, algorithm="ES256"):
        self.keys = [Key(algorithm)]
        self.fetches = 0
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path == "/.well-known/openid-configuration":
                    body = {"issuer": issuer.url, "jwks_uri": issuer.url + "/jwks"}
                elif self.path == "/jwks":
                    issuer.fetches += 1
                    body = {"keys": [key.jwk() for key in issuer.keys]}
                else:
                    return self.send_error(404)
                text = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def token(self, claims, header=None, key=None):
        """Signed as it is: a claim or header member of None is left out."""
        key = key or self.keys[0]
        head = {"alg": key.algorithm, "kid": key.kid, "typ": "at+jwt", **(header or {})}
        body = {"iss": self.url, "iat": int(time.time()), "exp": int(time.time()) + 600,
                "jti": uuid.uuid4().hex, **claims}
        text = ".".join(encode(json.dumps({k: v for k, v in part.items() if v is not None}).encode())
                        for part in (head, body))
        return f"{text}.{encode(key.sign(text.encode()))}"
