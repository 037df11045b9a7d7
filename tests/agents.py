"""What an agent does to act for a person: its own token, an exchange, psql with what came of it."""

import base64
import json
import ssl
import subprocess
import urllib.error
import urllib.parse
import urllib.request

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS = "urn:ietf:params:oauth:token-type:access_token"


class Admin:
    """The admin port of a gateway: status and JSON of what it answers."""

    def __init__(self, url, ca_file=None):
        self.url = url
        self.context = ssl.create_default_context(cafile=ca_file) if ca_file else None

    def call(self, method, path, body=None, headers=None):
        request = urllib.request.Request(self.url + path, data=body, headers=headers or {},
                                         method=method)
        try:
            with urllib.request.urlopen(request, context=self.context, timeout=30) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as refused:
            status, text = refused.code, refused.read()
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text.decode(errors="replace")

    def form(self, path, fields, headers=None):
        return self.call("POST", path, urllib.parse.urlencode(fields).encode(),
                         {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})})

    def api(self, method, path, token, body=None):
        return self.call(method, path, None if body is None else json.dumps(body).encode(),
                         {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})

    def agent_token(self, client_id, secret):
        """Client credentials at the built-in issuer."""
        basic = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
        status, body = self.form("/oauth2/token", {"grant_type": "client_credentials"},
                                 {"Authorization": f"Basic {basic}"})
        assert status == 200, body
        return body["access_token"]

    def exchange(self, subject, actor, **more):
        fields = {"grant_type": EXCHANGE, "subject_token": subject, "subject_token_type": ACCESS,
                  "actor_token": actor, "actor_token_type": ACCESS, **more}
        return self.form("/oauth2/token", {k: v for k, v in fields.items() if v is not None})


def dsn(port, user, token, ca_file, connection="shop"):
    return (f"postgresql://{urllib.parse.quote(user, safe='')}%23jwt:{token}@127.0.0.1:{port}/"
            f"{connection}?sslmode=verify-full&sslrootcert={urllib.parse.quote(str(ca_file))}")


def psql(dsn_text, *commands):
    arguments = ["psql", "-X", "-A", "-t", "-v", "VERBOSITY=verbose", dsn_text]
    for command in commands:
        arguments += ["-c", command]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60)
