"""The OpenAPI document says what the admin port does: every operation is there, is guarded as it says,
and answers with what its schema has."""

import os
import subprocess
import threading

import psycopg
import pytest
from agents import Admin
from conftest import BINARY

OPEN = {"/api/v1/openapi.json"}


@pytest.fixture(scope="module")
def admin(demo):
    return Admin(demo.ready["admin"]["url"], demo.ready["ca_file"])


@pytest.fixture(scope="module")
def document(admin):
    status, body = admin.call("GET", "/api/v1/openapi.json")
    assert status == 200
    return body


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def misfits(document, schema, value, at="$"):
    """What in `value` is not as the schema says, in words; and what the schema does not have."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{at}: {value!r} is none of {schema['enum']}"]
    types = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool,
             "null": type(None)}
    wanted = schema.get("type")
    if wanted:
        allowed = tuple(types[one] for one in ([wanted] if isinstance(wanted, str) else wanted))
        if not isinstance(value, allowed):
            return [f"{at}: {value!r} is no {wanted}"]
    found = []
    if isinstance(value, dict) and "properties" in schema:
        found += [f"{at}: no {name}" for name in schema.get("required", []) if name not in value]
        for name, one in value.items():
            if name not in schema["properties"]:
                found.append(f"{at}: {name} is not in the document")
            else:
                found += misfits(document, schema["properties"][name], one, f"{at}.{name}")
    if isinstance(value, list):
        for index, one in enumerate(value):
            found += misfits(document, schema["items"], one, f"{at}[{index}]")
    return found


def answer_schema(document, path, method, status):
    answer = document["paths"][path][method.lower()]["responses"][str(status)]["content"]
    return next(iter(answer.values()))["schema"]


def test_it_is_openapi_and_whole(document):
    assert document["openapi"].startswith("3.1")
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids)) >= 15
    names = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}

    def refs(value):
        if isinstance(value, dict):
            for key, one in value.items():
                yield from [one] if key == "$ref" else refs(one)
        elif isinstance(value, list):
            for one in value:
                yield from refs(one)

    assert set(refs(document)) == names  # none dangles, none is of no use
    for method, path, operation in operations(document):
        declared = {one["name"] for one in operation.get("parameters", []) if one["in"] == "path"}
        assert declared == ({"id"} if "{id}" in path else set()), path


def test_every_operation_is_there_and_asks_who_it_is(document, admin):
    for method, path, operation in operations(document):
        if path in OPEN:
            continue
        status, body = admin.call(method, path.replace("{id}", "x"), b"{}" if method == "POST" else None)
        assert status == 401, (method, path, status, body)
        assert misfits(document, {"$ref": "#/components/schemas/Problem"}, body) == []
        if path != "/api/v1/slack/interactive":
            assert "security" not in operation  # the document's own: a bearer token


def test_no_method_is_there_that_is_not_in_it(document, admin):
    for path, methods in document["paths"].items():
        for method in {"get", "post", "put", "delete", "patch"} - set(methods):
            status, _ = admin.call(method.upper(), path.replace("{id}", "x"))
            assert status in (401, 404, 405), (method, path, status)
            if status == 401:  # a prefix answers for all below it: with a token it must say no
                continue


def test_answers_are_as_it_says(document, admin, demo):
    alice, dana = (demo.ready["users"][name]["token"] for name in ("alice", "dana"))

    def check(method, path, token, body=None, status=200, **values):
        told, answer = admin.api(method, path.format(**values), token, body)
        assert told == status, answer
        assert misfits(document, answer_schema(document, path, method, status), answer) == []
        return answer

    check("GET", "/api/v1/whoami", alice)
    assert check("GET", "/api/v1/connections", alice)["connections"]
    check("POST", "/api/v1/tickets", alice, {"connection": "shop"}, 201)
    check("POST", "/api/v1/tickets", alice, {"connection": "no"}, 404)
    check("POST", "/api/v1/tickets", alice, {"connection": 1}, 400)
    check("POST", "/api/v1/tickets", alice, {"connection": "shop", "break_glass": 1}, 400)
    check("GET", "/api/v1/approvals", dana)
    check("GET", "/api/v1/approvals/{id}", dana, status=404, id="apr_0")
    check("POST", "/api/v1/approvals/{id}/approve", dana, status=404, id="apr_0")
    check("GET", "/api/v1/break-glass", dana)
    check("POST", "/api/v1/break-glass/{id}/review", dana, {"finding": "x"}, 404, id="s")
    made = check("POST", "/api/v1/delegations", alice,
                 {"agent": "support-copilot", "connection": "shop", "for_s": 60}, 201)
    assert check("GET", "/api/v1/delegations", alice)["delegations"]
    check("DELETE", "/api/v1/delegations/{id}", alice, id=made["id"])
    check("DELETE", "/api/v1/delegations/{id}", alice, status=404, id=made["id"])


def test_a_request_for_approval_is_as_it_says(document, tmp_path, start_demo):
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/10.cedar").write_text("""
@id("all") permit (principal, action, resource);
@id("deletes") @approvers("dba") forbid (principal, action == Action::"sql:delete", resource)
unless { context has approval && context.approval.boundHash == context.stmt.hash };
""")
    demo = start_demo("--policies", str(tmp_path / "policies"))
    admin = Admin(demo.ready["admin"]["url"], demo.ready["ca_file"])
    dana = demo.ready["users"]["dana"]["token"]

    def ask():
        with psycopg.connect(demo.dsn("alice"), autocommit=True) as alice:
            alice.execute("delete from orders where id = %b", (1,))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    found = []
    while not found:
        found = admin.api("GET", "/api/v1/approvals", dana)[1]["approvals"]
    request = found[0]["id"]
    for method, path, body in (("GET", "/api/v1/approvals/{id}", None),
                               ("POST", "/api/v1/approvals/{id}/approve", {"reason": "x"})):
        status, answer = admin.api(method, path.replace("{id}", request), dana, body)
        assert status == 200, answer
        assert misfits(document, answer_schema(document, path, method, 200), answer) == []
    assert answer["votes"] and answer["parameters"][0]["shown"] == "1"
    thread.join(30)
    assert not thread.is_alive()


def test_help_has_examples():
    done = subprocess.run([BINARY, "approvals", "--help"], capture_output=True, text=True,
                          timeout=60, env={**os.environ})
    assert done.returncode == 0
    for example in ("sallyport approvals list", "sallyport approvals watch",
                    "sallyport approvals approve apr_", "sallyport approvals reviews"):
        assert example in done.stdout
