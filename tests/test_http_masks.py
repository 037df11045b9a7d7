"""Masks of JSON through the gateway: whatever a target does with its answer, no canary is in any byte that a client
gets, and what nothing is masked in goes by as it came."""

import ctypes
import gzip
import json
import re
import subprocess
import time
import zlib

import pytest
import requests
from conftest import BINARY
from web import CONNECTION, POLICIES, WebGateway, forget, running_gateway, target  # noqa: F401

CANARY = "canary-7f31"
MAIL = f"{CANARY}.smith@example.com"
CARD = "4904023784846686"

OPENAPI = """\
openapi: 3.0.3
info: {title: CRM, version: "1"}
paths:
  /customers:
    get:
      operationId: listCustomers
      responses:
        "200": {content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Customer"}}}}}
        "404": {content: {application/problem+json: {}}}
    post: {operationId: create, x-limits: {request_bytes: 100}, responses: {}}
  /customers/{id}:
    get:
      responses: {"200": {content: {application/json: {schema: {$ref: "#/components/schemas/Customer"}}}}}
components:
  schemas:
    Customer:
      properties:
        email: {type: string, x-classification: pii.email}
        manager: {$ref: "#/components/schemas/Customer"}
"""

MASKED = """\
    classification:
      "$..email": pii.email
      "$..secret": secret
      "$.salaries[*]": hr
    masks: {{hr: round, secret: "null"}}
"""

CONNECTIONS = (CONNECTION + MASKED
               + CONNECTION.replace("crm", "api") + "    openapi: api.yaml\n"
               + CONNECTION.replace("crm", "mail") + "    detect: mask\n"
               + CONNECTION.replace("crm", "watch") + "    detect: report\n")

MORE_POLICIES = POLICIES + """\
@id("read-others") permit (principal, action == Action::"http:read", resource)
when { resource in Connection::"api" || resource in Connection::"mail" || resource in Connection::"watch" };
@id("fraud-sees-mail") permit (principal in Group::"fraud", action == Action::"http:reveal",
  resource in Classification::"pii");
@id("root-sees-all") permit (principal in Group::"root", action in Action::"safeguard", resource in Connection::"crm");
"""


@pytest.fixture(scope="module")
def gateway(target, tmp_path_factory):
    running = WebGateway(tmp_path_factory.mktemp("http-masks"), CONNECTIONS.format(port=target.port), MORE_POLICIES)
    (running.folder / "api.yaml").write_text(OPENAPI)
    yield from running_gateway(running)


def serve(target, path, body, content_type="application/json", chunk=0, status=200, **headers):
    """The target answers so; `chunk`: in chunks of so many bytes, each in a segment of its own."""

    def answer(handler, _):
        handler.send_response(status)
        if content_type:
            handler.send_header("Content-Type", content_type)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        if chunk:
            handler.send_header("Transfer-Encoding", "chunked")
        else:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if handler.command == "HEAD":
            return
        if not chunk:
            handler.wfile.write(body)
            return
        for at in range(0, len(body), chunk):
            piece = body[at:at + chunk]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            handler.wfile.flush()
        handler.wfile.write(b"0\r\n\r\n")

    target.special[path] = answer


def everything(gateway, path, connection="crm", method="GET", more=b"", **claims):
    """All bytes that a client gets, and the body of them if it is complete."""
    token = gateway.token(**claims).encode()
    data = gateway.raw(b"%s /c/%s%s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAccept-Encoding: gzip, br, zstd, x\r\n"
                       b"Authorization: Bearer %s\r\n%s\r\n"
                       % (method.encode(), connection.encode(), path.encode(), token, more), keep=True)
    head, _, body = data.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" in head.lower():
        whole, rest = b"", body
        while match := re.match(rb"([0-9a-fA-F]+)\r\n", rest):
            size = int(match[1], 16)
            rest = rest[match.end():]
            whole, rest = whole + rest[:size], rest[size + 2:]
            if size == 0:
                return data, head, whole
        return data, head, None
    return data, head, body


def assert_no_canary(data):
    for canary in (CANARY, CARD, CANARY.encode("utf-16-le").decode("latin1"), CANARY.encode("utf-16-be").decode("latin1"),
                   "".join(f"\\u{ord(c):04x}" for c in CANARY)):
        assert canary.encode("latin1") not in data, data[:2000]
    for squeezed in re.findall(rb"\x1f\x8b.*", data, re.S):  # nothing goes on as it was compressed
        assert CANARY.encode() not in zlib.decompressobj(31).decompress(squeezed)


def shared(name):
    return ctypes.CDLL(name)


def encode(encoding, data):
    if encoding == "gzip":
        return gzip.compress(data)
    if encoding == "deflate":
        return zlib.compress(data)
    out = ctypes.create_string_buffer(len(data) * 2 + 1000)
    if encoding == "zstd":
        library = shared("libzstd.so.1")
        library.ZSTD_compress.restype = ctypes.c_size_t
        size = library.ZSTD_compress(out, ctypes.c_size_t(len(out)), data, ctypes.c_size_t(len(data)), 3)
        return out.raw[:size]
    size = ctypes.c_size_t(len(out))
    assert shared("libbrotlienc.so.1").BrotliEncoderCompress(5, 22, 0, ctypes.c_size_t(len(data)), data,
                                                             ctypes.byref(size), out)
    return out.raw[:size.value]


CUSTOMERS = {"list": [{"id": n, "email": MAIL, "more": {"email": [MAIL, None]}} for n in range(3)],
             "secret": {CANARY: CANARY}, "salaries": [98765, "12345.6"], "name": "Z\u00fcrich"}
EXPECTED = {"list": [{"id": n, "email": "c****************@e******.com",
                      "more": {"email": ["c****************@e******.com", None]}} for n in range(3)],
            "secret": None, "salaries": [98000, "12000"], "name": "Z\u00fcrich"}
TEXT = json.dumps(CUSTOMERS).encode()


# ---- what is masked ----

def test_masks_by_path_for_requests(gateway, target):
    serve(target, "/customers", TEXT, ETag='"x"', Accept_Ranges="bytes")
    answer = requests.get(f"{gateway.url}/c/crm/customers", headers={**gateway.bearer(), "Range": "bytes=0-10",
                                                                    "If-None-Match": '"x"'})
    assert answer.json() == EXPECTED
    assert "ETag" not in answer.headers and "Accept-Ranges" not in answer.headers
    _, sent, _ = target.requests[-1]
    names = {name.lower() for name, _ in sent}
    assert not names & {"range", "if-none-match"}
    time.sleep(0.3)
    command = [one for one in gateway.records() if one["kind"] == "command"][-1]
    assert "http:reveal" in json.dumps(command) and "partial (pii.email)" in json.dumps(command)
    outcome = [one["data"] for one in gateway.records() if one["kind"] == "outcome" and one["data"]["tag"] == "200"][-1]
    assert outcome["masked_fields"] == 12 and outcome["bytes"] == len(answer.content)


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 64])
def test_holds_where_the_target_tears_its_answer(gateway, target, chunk):
    serve(target, "/customers", TEXT, chunk=chunk)
    data, _, body = everything(gateway, "/customers")
    assert_no_canary(data)
    assert json.loads(body) == EXPECTED


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
@pytest.mark.parametrize("chunk", [0, 1, 10])
def test_holds_behind_an_encoding(gateway, target, encoding, chunk):
    serve(target, "/customers", encode(encoding, TEXT), chunk=chunk, Content_Encoding=encoding)
    data, head, body = everything(gateway, "/customers")
    assert_no_canary(data)
    assert b"content-encoding" not in head.lower()
    assert json.loads(body) == EXPECTED
    sent = dict(target.requests[-1][1])
    assert sent["Accept-Encoding"] == "gzip, br, zstd"


def test_a_large_answer_streams_through(gateway, target):
    rows = [{"id": n, "email": f"{CANARY}{n}@example.com", "note": "x" * 50} for n in range(30_000)]
    serve(target, "/customers", gzip.compress(json.dumps({"list": rows}).encode()), Content_Encoding="gzip")
    answer = requests.get(f"{gateway.url}/c/crm/customers", headers=gateway.bearer())
    assert_no_canary(answer.content)
    assert len(answer.json()["list"]) == 30_000


def test_lines_and_events(gateway, target):
    lines = b"".join(json.dumps({"n": n, "email": MAIL}).encode() + b"\n" for n in range(5))
    serve(target, "/lines", lines, content_type="application/x-ndjson", chunk=5)
    data, _, body = everything(gateway, "/lines")
    assert_no_canary(data)
    assert [json.loads(line)["n"] for line in body.splitlines()] == list(range(5))
    events = b"".join(b"event: a\ndata: " + json.dumps({"email": MAIL}).encode() + b"\n\n" for n in range(5))
    serve(target, "/events", events, content_type="text/event-stream", chunk=3)
    data, _, body = everything(gateway, "/events")
    assert_no_canary(data)
    assert body.count(b"data: ") == 5


# ---- who sees it ----

def test_reveals_what_the_whole_chain_may_see(gateway, target):
    serve(target, "/customers", TEXT, ETag='"x"')
    fraud = requests.get(f"{gateway.url}/c/crm/customers", headers=gateway.bearer(groups=["fraud"])).json()
    assert fraud["list"][0]["email"] == MAIL and fraud["secret"] is None and fraud["salaries"] == [98000, "12000"]
    agent = requests.get(f"{gateway.url}/c/crm/customers",
                         headers=gateway.bearer(groups=["fraud"], actors=["copilot"]))
    assert_no_canary(agent.content)
    root = requests.get(f"{gateway.url}/c/crm/customers", headers=gateway.bearer(groups=["root"]))
    assert root.content == TEXT and root.headers["ETag"] == '"x"', "as it came"


# ---- what is refused ----

REFUSED = {
    "the same name twice": (f'{{"email":"x","email":"{CANARY}"}}'.encode(), "application/json"),
    "twice, escaped": (f'{{"a":1,"\\u0061":"{CANARY}"}}'.encode(), "application/json"),
    "utf-16": (f'{{"email":"{CANARY}"}}'.encode("utf-16"), "application/json"),
    "utf-16 without a mark": (f'{{"email":"{CANARY}"}}'.encode("utf-16-le"), "application/json"),
    "utf-16 by charset": (f'{{"email":"{CANARY}"}}'.encode("utf-16-le"), "application/json; charset=utf-16le"),
    "utf-7": (f'{{"+AGUAbQBhAGkAbA-":"{CANARY}"}}'.encode(), "application/json; charset=utf-7"),
    "a byte order mark": (b"\xef\xbb\xbf" + TEXT, "application/json"),
    "invalid utf-8": (f'{{"em\xff":"{CANARY}"}}'.encode("latin1"), "application/json"),
    "deep": (b"[" * 200 + CANARY.encode() + b"]" * 200, "application/json"),
    "no json": (MAIL.encode(), "application/json"),
    "jsonp": (b"f(" + TEXT + b")", "application/javascript"),
    "html": (MAIL.encode(), "text/html"),
    "multipart": (b"--x\r\nContent-Type: application/json\r\n\r\n" + TEXT + b"\r\n--x--", "multipart/mixed; boundary=x"),
    "csv": (b"email\n" + MAIL.encode(), "text/csv"),
    "no type": (TEXT, None),
    "octets": (TEXT, "application/octet-stream"),
    "two documents": (TEXT + TEXT, "application/json"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refuses_what_it_cannot_mask(gateway, target, what):
    body, content_type = REFUSED[what]
    for chunk in (0, 1):
        serve(target, "/customers", body, content_type=content_type, chunk=chunk)
        data, head, complete = everything(gateway, "/customers")
        assert_no_canary(data)
        if complete is not None:
            assert b" 502 " in head.splitlines()[0], data
            assert json.loads(complete)["type"].endswith(":masking")


@pytest.mark.parametrize("encoding", ["gzip, gzip", "compress", "br, gzip", "gzip"])
def test_refuses_encodings_that_it_cannot_undo(gateway, target, encoding):
    body = TEXT if encoding == "gzip" else gzip.compress(TEXT)
    serve(target, "/customers", body, Content_Encoding=encoding)
    data, head, _ = everything(gateway, "/customers")
    assert_no_canary(data)
    assert b" 502 " in head.splitlines()[0]


def test_refuses_bombs_parts_and_bodies_that_are_cut_off(gateway, target):
    serve(target, "/customers", gzip.compress(b"[" + b" " * (64 << 20) + b"]"), Content_Encoding="gzip")
    began = time.monotonic()
    data, _, body = everything(gateway, "/customers")
    assert body is None and len(data) < 8 << 20, "it ends too soon, and the client can tell"
    assert time.monotonic() - began < 20
    serve(target, "/customers", gzip.compress(TEXT)[:-6], Content_Encoding="gzip")
    data, _, body = everything(gateway, "/customers")
    assert body is None or b" 502 " in data.splitlines()[0]
    assert_no_canary(data)
    serve(target, "/customers", f'"{MAIL}"'.encode(), status=206, Content_Range="bytes 10-40/100")
    data, head, _ = everything(gateway, "/customers")
    assert_no_canary(data)
    assert b" 502 " in head.splitlines()[0]


def test_head_and_answers_without_a_body(gateway, target):
    serve(target, "/customers", TEXT)
    _, head, _ = everything(gateway, "/customers", method="HEAD")
    assert b" 200 " in head.splitlines()[0] and b"content-length" not in head.lower()
    target.special["/gone"] = lambda handler, _: (handler.send_response(204), handler.end_headers())
    _, head, _ = everything(gateway, "/gone")
    assert b" 204 " in head.splitlines()[0]


# ---- OpenAPI ----

def test_what_the_document_does_not_describe_is_denied(gateway, target):
    for path, method in (("/admin", "GET"), ("/customers/1/notes", "GET"), ("/customers/", "GET"),
                         ("/customers/1", "DELETE"), ("/Customers", "GET")):
        data, head, _ = everything(gateway, path, "api", method)
        assert b" 403 " in head.splitlines()[0] and b"does not describe" in data, data
    assert target.requests == []
    time.sleep(0.3)
    refusals = [one for one in gateway.records() if one["kind"] == "refusal"]
    assert any("does not describe" in json.dumps(one) for one in refusals)


def test_masks_by_schema(gateway, target):
    nested = {"id": 1, "email": MAIL, "manager": {"email": MAIL, "manager": {"email": MAIL}}, "note": "kept"}
    serve(target, "/customers", json.dumps([nested]).encode(), chunk=9)
    data, _, body = everything(gateway, "/customers", "api")
    assert_no_canary(data)
    assert json.loads(body)[0]["note"] == "kept"
    serve(target, "/customers/1", json.dumps(nested).encode())
    data, _, body = everything(gateway, "/customers/1", "api")
    assert_no_canary(data)
    # Not described: it could hold anything.
    serve(target, "/customers/1", json.dumps({"error": MAIL}).encode(), status=500)
    data, _, body = everything(gateway, "/customers/1", "api")
    assert_no_canary(data)
    assert body == b"null"
    serve(target, "/customers", b'{"title":"none"}', content_type="application/problem+json", status=404)
    assert everything(gateway, "/customers", "api")[2] == b'{"title":"none"}'
    assert everything(gateway, "/customers/1", "api", groups=["fraud"])[2] == json.dumps({"error": MAIL}).encode()


def test_check_says_what_is_wrong_and_where(gateway):
    config = gateway.config.read_text()

    def check(text, document=OPENAPI):
        (gateway.folder / "wrong.yaml").write_text(document)
        wrong = gateway.folder / "check.yaml"
        wrong.write_text(text.replace("api.yaml", "wrong.yaml"))
        done = subprocess.run([BINARY, "check", "--config", wrong], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    assert check(config)[0] == 0, check(config)
    for text, said in ((config.replace("$..secret", "$.list[0]"), "only [*] and ['name']"),
                       (config.replace("{hr: round", "{nobody: round"), "nothing is classified as 'nobody'"),
                       (config.replace("api.yaml", "missing.yaml"), "missing.yaml")):
        code, output = check(text)
        assert code == 2 and said in output, output
        assert "check.yaml:" in output
    code, output = check(config, OPENAPI + "    Customer: {}\n")
    assert code == 2 and "wrong.yaml:20: the key 'Customer' is there twice" in output, output
    code, output = check(config, OPENAPI.replace("/customers/{id}", "/{what}"))
    assert code == 0, output
    code, output = check(config, OPENAPI.replace("/customers/{id}", "/{what}").replace("/customers:", "/{that}:"))
    assert code == 2 and "can be the same path as" in output, output


# ---- detectors ----

def test_detectors_look_through_answers(gateway, target):
    body = json.dumps({"note": f"call {MAIL} about {CARD}", "n": int(CARD), MAIL: 1, "inner": json.dumps({"card": CARD})})
    for encoding in ("gzip", "br"):
        serve(target, "/x", encode(encoding, body.encode()), chunk=11, Content_Encoding=encoding)
        data, _, complete = everything(gateway, "/x", "mail")
        assert_no_canary(data)
        assert json.loads(complete)["n"] is None
    serve(target, "/x", f"<p>{MAIL}</p>".encode(), content_type="text/html")
    data, _, complete = everything(gateway, "/x", "mail")
    assert_no_canary(data)
    assert complete.startswith(b"<p>") and complete.endswith(b"</p>")
    serve(target, "/x", b"\x89PNG" + bytes(range(256)), content_type="image/png")
    assert everything(gateway, "/x", "mail")[2] == b"\x89PNG" + bytes(range(256))
    time.sleep(0.3)
    outcomes = [json.dumps(one) for one in gateway.records() if one["kind"] == "outcome"]
    assert any('"email"' in one and '"card"' in one for one in outcomes)


FIELDS = [
    ("Location", f"/people/{MAIL}?card={CARD}"), ("Link", f"</people?of={MAIL}>; rel=next"),
    ("Set-Cookie", f"who={MAIL}; Path=/"), ("X-Customer", MAIL), ("X-Card", CARD), ("ETag", f'"{MAIL}"'),
    ("Content-Disposition", f'attachment; filename="{MAIL}.png"'), ("Refresh", f"5; url=/?m={MAIL}"),
    # Behind escapes it cannot be hidden in place.
    ("Location", f"/people?of={MAIL.replace('@', '%40')}"), ("X-Next", f"/p?card={CARD[:4]}%20{CARD[4:8]}+{CARD[8:12]}+{CARD[12:]}"),
    ("Content-Disposition", f"attachment; filename*=UTF-8''{MAIL.replace('@', '%40')}"),
    ("X-Deep", "".join(f"%{ord(c):02x}" for c in MAIL)),
    (f"X-{CARD}", "1"),  # in the name
]


def outcome_of_last(gateway):
    time.sleep(0.3)
    return [one["data"] for one in gateway.records() if one["kind"] == "outcome" and one["data"]["tag"].isdigit()][-1]


@pytest.mark.parametrize("kind", ["get", "head", "204", "302", "304", "image", "stream"])
def test_detectors_look_through_fields(gateway, target, kind):
    status = int(kind) if kind.isdigit() else 200
    body = b"" if status != 200 or kind == "head" else b'{"a":1}'

    def answer(handler, _):
        handler.send_response(status)
        handler.send_header("Content-Type", "image/png" if kind == "image" else "application/json")
        for name, value in FIELDS:
            handler.send_header(name, value)
        handler.send_header("X-Plain", "kept 100% + more")
        if kind == "stream":
            handler.send_header("Transfer-Encoding", "chunked")
        elif status != 204:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(b"7\r\n" + body + b"\r\n0\r\n\r\n" if kind == "stream" else body)

    target.special["/x"] = answer
    data, head, _ = everything(gateway, "/x", "mail", "HEAD" if kind == "head" else "GET")
    assert head.startswith(b"HTTP/1.1 %d " % status), head
    assert_no_canary(data)
    for hidden in (MAIL.replace("@", "%40"), "%63%61%6e", CARD[8:12], "smith"):
        assert hidden.encode() not in data, data
    assert b"\r\nX-Customer: c*" in head and b"\r\nSet-Cookie: who=c*" in head and b"\r\nLink: </people?of=c*" in head
    assert b"\r\nX-Plain: kept 100% + more\r\n" in head and b"X-Deep" not in head and b"X-Next" not in head
    outcome = outcome_of_last(gateway)
    assert outcome["detected"]["email"] >= 9 and outcome["detected"]["card"] >= 4, outcome
    assert outcome["masked_fields"] >= 13
    # And where they only report, all goes by and is counted.
    target.special["/x"] = answer
    data, head, _ = everything(gateway, "/x", "watch", "HEAD" if kind == "head" else "GET")
    for name, value in FIELDS:
        if name != "ETag" and name != "Location" and name != "Set-Cookie":
            assert f"\r\n{name}: {value}\r\n".encode() in head + b"\r\n", head
    outcome = outcome_of_last(gateway)
    assert outcome["detected"]["email"] >= 9 and outcome["masked_fields"] == 0, outcome


def test_an_entity_tag_is_no_oracle(gateway, target):
    def put(connection="crm", groups=("support",), method="PUT", **fields):
        return requests.request(method, f"{gateway.url}/c/{connection}/customers/1", data=b"{}",
                                headers={**gateway.bearer(groups=groups), **{k.replace("_", "-"): v for k, v in fields.items()}})
    for fields in ({"If_Match": '"guess"'}, {"If_None_Match": '"guess"'}, {"if_match": 'W/"a", "b"'}):
        refused = put(**fields)
        assert refused.status_code == 403 and "entity tag" in refused.json()["detail"], refused.text
        assert put("mail", **fields).status_code == 403
    assert put(method="GET", If_Match='"guess"').status_code == 403
    assert target.requests == []
    # Whether there is one at all is no secret, and a change that depends on it must not lose that.
    for fields in ({"If_None_Match": "*"}, {"If_Match": "*"}):
        assert put(**fields).status_code == 200
        (name, value), = fields.items()
        assert (name.replace("_", "-"), value) in target.requests[-1][1]
    # Who sees all that there is knows the tags.
    assert put(groups=["root", "support"], If_Match='"known"').status_code == 200
    assert ("If-Match", '"known"') in target.requests[-1][1]
    assert put("watch", If_Match='"known"').status_code == 200


def test_an_operator_sees_what_was_refused(gateway, target):
    serve(target, "/customers", MAIL.encode())
    _, head, _ = everything(gateway, "/customers")
    assert b" 502 " in head.splitlines()[0]
    metrics = requests.get(f"http://127.0.0.1:{gateway.ports['admin']}/metrics").text
    assert re.search(r"^sallyport_http_unmaskable_answers_total [1-9]", metrics, re.M)
    assert "answer refused: it cannot be masked" in gateway.log.read_text()
    time.sleep(0.3)
    errors = [one["data"]["error"] for one in gateway.records() if one["kind"] == "outcome"]
    assert any(error.startswith("masking: ") for error in errors)


def test_no_canary_is_in_the_ledger_or_the_log(gateway):
    time.sleep(0.3)
    assert_no_canary(json.dumps(gateway.records()).encode())
    assert_no_canary(gateway.log.read_bytes())
