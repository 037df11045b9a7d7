"""A token that is bound to a client certificate (RFC 8705) is good for a login that shows that
certificate, and for no other: with psql's own sslcert and sslkey."""

import datetime
import hashlib
import ipaddress
import os
import subprocess
import urllib.parse

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from local_issuer import LocalIssuer, encode
from serving import Gateway, Target

AUDIENCE = "https://gateway.example.com"
ISSUERS = """\
issuers:
  - issuer: {url}
    name: company
    audience: {audience}
"""
POLICIES = """\
@id("all") permit (principal, action, resource);
@id("bound-only") forbid (principal, action == Action::"sql:insert", resource)
unless { context.auth.senderBound };
"""


class Certificate:
    """Of `by`, or a CA of its own."""

    def __init__(self, folder, name, by=None):
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (x509.CertificateBuilder().subject_name(self.name)
                   .issuer_name((by or self).name).public_key(self.private.public_key())
                   .serial_number(x509.random_serial_number())
                   .not_valid_before(now - datetime.timedelta(hours=1))
                   .not_valid_after(now + datetime.timedelta(hours=1))
                   .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), True)
                   .add_extension(x509.SubjectAlternativeName(
                       [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False))
        made = builder.sign((by or self).private, hashes.SHA256())
        self.file, self.key_file = folder / f"{name}.pem", folder / f"{name}.key"
        self.file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        self.key_file.touch(0o600)
        self.key_file.write_bytes(self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()))
        self.thumbprint = encode(hashlib.sha256(
            made.public_bytes(serialization.Encoding.DER)).digest())


class Shop:
    def __init__(self, folder):
        self.ca = Certificate(folder, "ca")
        self.server = Certificate(folder, "server", self.ca)
        self.client = Certificate(folder, "client", self.ca)
        self.other = Certificate(folder, "other", self.ca)
        self.stranger = Certificate(folder, "stranger", Certificate(folder, "another-ca"))
        self.home = folder
        self.issuer = LocalIssuer()
        self.target = Target()
        self.gateway = Gateway(folder / "gateway", self.target,
                               ISSUERS.format(url=self.issuer.url, audience=AUDIENCE))
        self.gateway.folder.joinpath("policies/all.cedar").write_text(POLICIES)
        port = self.gateway.ports["postgres"]
        config = self.gateway.config.read_text()
        plain = f"postgres: {{port: {port}}}"
        assert plain in config
        self.gateway.config.write_text(config.replace(
            plain, f"postgres: {{port: {port}, tls: {{certificate: {self.server.file}, "
                   f"key: {self.server.key_file}, client_ca: {self.ca.file}}}}}"))
        self.gateway.start()
        with self.target.connect("postgres") as admin:
            admin.execute("create table seen (by text)")

    def token(self, thumbprint=None):
        bound = {"cnf": {"x5t#S256": thumbprint}} if thumbprint else {}
        return self.issuer.token({"sub": "carol", "aud": AUDIENCE, "client_id": "cli",
                                  "groups": ["support"], **bound})

    def psql(self, token, certificate=None, sql="select 'in'"):
        query = {"sslmode": "verify-full", "sslrootcert": self.ca.file}
        if certificate:
            query |= {"sslcert": certificate.file, "sslkey": certificate.key_file}
        dsn = (f"postgresql://company%7Ccarol%23jwt:{token}@127.0.0.1:"
               f"{self.gateway.ports['postgres']}/target?" + urllib.parse.urlencode(query))
        return subprocess.run(["psql", "-X", "-A", "-t", dsn, "-c", sql], capture_output=True,
                              text=True, timeout=60, env={**os.environ, "HOME": str(self.home)})

    def stop(self):
        self.gateway.stop()
        self.target.remove()
        self.issuer.close()


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    one = Shop(tmp_path_factory.mktemp("certificates"))
    yield one
    one.stop()


def test_a_bound_token_is_good_with_its_certificate(shop):
    done = shop.psql(shop.token(shop.client.thumbprint), shop.client, "insert into seen values ('x')")
    assert done.returncode == 0, done.stderr


def test_a_bound_token_is_good_for_nothing_else(shop):
    token = shop.token(shop.client.thumbprint)
    for certificate in (None, shop.other):
        done = shop.psql(token, certificate)
        assert done.returncode == 2 and "bound to a key" in done.stderr, (certificate, done)
    assert shop.psql(shop.token(encode(b"x" * 32)), shop.client).returncode == 2


def test_nobody_else_needs_a_certificate(shop):
    for certificate in (None, shop.client):
        done = shop.psql(shop.token(), certificate)
        assert done.returncode == 0 and done.stdout == "in\n", done.stderr
        # And who shows one is bound to it only if the token says so.
        done = shop.psql(shop.token(), certificate, "insert into seen values ('x')")
        assert done.returncode == 1 and "bound-only" in done.stderr, done.stderr


def test_a_certificate_of_somebody_elses_is_not_taken(shop):
    for token in (shop.token(), shop.token(shop.stranger.thumbprint)):
        done = shop.psql(token, shop.stranger)
        assert done.returncode == 2 and done.stdout == "", done
