"""Requests that people have to approve: the very same request goes through once, and nothing else does."""

import json
import os
import subprocess
import threading
import time

import pytest
import requests
from conftest import BINARY
from web import CONNECTION, WebGateway, forget, running_gateway, target  # noqa: F401

POLICIES = """\
@id("connect") permit (principal, action == Action::"connect", resource);
@id("copilot-acts") permit (principal == Agent::"copilot", action == Action::"act_for", resource);
@id("refunds") @approvers("finance") @quorum("1") @ttl("10m") @mode("statement")
permit (principal, action in [Action::"http:write", Action::"http:delete"], resource)
when {
  context has approval && context.approval.kind == "statement" && context has hash &&
  context.approval.boundHash == context.hash && context.approval.quorum >= 1 &&
  context.now < context.approval.expires
};
@id("votes") permit (principal in Group::"finance", action in [Action::"approve", Action::"reject"], resource);
"""


@pytest.fixture(scope="module")
def gateway(target, tmp_path_factory):
    yield from running_gateway(WebGateway(tmp_path_factory.mktemp("approvals"), CONNECTION.format(port=target.port), POLICIES))


def approvals(gateway, *arguments):
    done = subprocess.run(
        [BINARY, "approvals", *arguments, "--json"], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "SALLYPORT_GATEWAY": f"http://127.0.0.1:{gateway.ports['admin']}",
             "SALLYPORT_TOKEN": gateway.token("fred", groups=["finance"])})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def post(gateway, body='{"amount": 10}', path="/refunds", method="POST", type="application/json", user="alice",
         actors=(), timeout=40, **fields):
    return requests.request(method, f"{gateway.url}/c/crm{path}", data=body, timeout=timeout,
                            headers={**gateway.bearer(user, actors=actors), "Content-Type": type, **fields})


def test_a_held_request_is_a_problem_and_comes_through_once_it_is_approved(gateway, target):
    held = post(gateway)
    assert held.status_code == 403 and held.headers["Content-Type"] == "application/problem+json"
    problem = held.json()
    assert problem["type"] == "urn:sallyport:problem:approval" and problem["next_action"] == "retry"
    assert problem["request_url"].endswith("/api/v1/approvals/" + problem["request"])
    assert post(gateway).json()["request"] == problem["request"]  # asked for once
    shown = approvals(gateway, "show", problem["request"])
    assert shown["text"] == "POST /refunds"
    assert shown["parameters"][0]["value"] == '{"amount": 10}'
    assert target.requests == []
    approvals(gateway, "approve", problem["request"])
    done = post(gateway)
    assert done.status_code == 200 and target.requests[0][2] == b'{"amount": 10}'
    again = post(gateway)  # one approval, one request
    assert again.status_code == 403 and again.json()["request"] != problem["request"]
    assert len(target.requests) == 1
    approvals(gateway, "deny", again.json()["request"])
    assert "denied" in post(gateway).json()["detail"] or post(gateway).status_code == 403


@pytest.mark.parametrize("other", [
    {"body": '{"amount": 11}'}, {"body": '{"amount": 10} '}, {"path": "/refunds?x=1"}, {"path": "/refunds/"},
    {"method": "PUT"}, {"method": "DELETE"}, {"type": "text/plain"}, {"user": "bob"}, {"actors": ["copilot"]}])
def test_an_approval_is_for_nothing_else(gateway, target, other):
    body = f'{{"for": "{sorted(other.items())[0][0]}-{list(other.values())[0]}"}}'.replace('""', '"')
    asked = post(gateway, body=body)
    approvals(gateway, "approve", asked.json()["request"])
    changed = post(gateway, **{"body": body, **other})
    assert changed.status_code == 403, changed.text
    assert target.requests == []
    assert post(gateway, body=body).status_code == 200


def test_prefer_wait_waits(gateway, target):
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(post(gateway, body="wait", Prefer="wait=20")))
    began = time.monotonic()
    waiting.start()
    while not (found := [one for one in approvals(gateway, "list")["approvals"]
                         if one["state"] == "pending" and one["parameters"][0]["value"] == "wait"]):
        assert time.monotonic() - began < 10
    assert target.requests == [] and not answers
    approvals(gateway, "approve", found[0]["id"])
    waiting.join(20)
    assert answers[0].status_code == 200 and target.requests[0][2] == b"wait"
    began = time.monotonic()
    assert post(gateway, body="too short", Prefer="respond-async, wait=1").status_code == 403
    assert 0.9 < time.monotonic() - began < 10


def test_who_leaves_while_waiting_uses_no_approval(gateway, target):
    with pytest.raises(requests.exceptions.ReadTimeout):
        post(gateway, body="left", Prefer="wait=20", timeout=1.5)
    asked, = [one for one in approvals(gateway, "list")["approvals"]
              if one["state"] == "pending" and one["parameters"][0]["value"] == "left"]
    approvals(gateway, "approve", asked["id"])
    time.sleep(1.5)
    assert target.requests == []
    assert approvals(gateway, "show", asked["id"])["state"] == "approved"
    assert post(gateway, body="left").status_code == 200  # the retry picks it up
    assert target.requests[0][2] == b"left"
    assert approvals(gateway, "show", asked["id"])["state"] == "consumed"


CHANGED = {
    "a cookie": ({"Cookie": "account=1"}, {"Cookie": "account=2"}),
    "a cookie more": ({}, {"Cookie": "account=2"}),
    "a part of a document": ({"Content-Range": "bytes 0-1/9"}, {"Content-Range": "bytes 2-3/9"}),
    "a condition": ({"If-Match": '"a"'}, {"If-Match": '"b"'}),
    "a field of the application's": ({"X-Account": "1"}, {"X-Account": "2"}),
}


@pytest.mark.parametrize("what", CHANGED)
def test_an_approval_is_for_these_fields(gateway, target, what):
    first, second = CHANGED[what]
    asked = post(gateway, body=what, **first)
    shown = json.dumps(approvals(gateway, "approve", asked.json()["request"]))
    assert "account=1" not in shown, "people see that a cookie is bound, not what it is"
    changed = post(gateway, body=what, **second)
    assert changed.status_code == 403 and changed.json()["request"] != asked.json()["request"]
    assert target.requests == []
    # What tells nothing of what is done may change from one attempt to the next.
    other = {"User-Agent": "other/2", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
             "X-Request-Id": "again", "Accept": "text/html"}
    assert post(gateway, body=what, **first, **other).status_code == 200


@pytest.mark.parametrize("name, first, second", [
    ("Content-Encoding", ["gzip"], ["gzip", "identity"]), ("If-Match", ['"a"'], ['"a"', '"b"']),
    ("If-Match", ['"a"', '"b"'], ['"b"', '"a"']), ("Prefer", ["tx=rollback"], ["tx=commit"])])
def test_an_approval_is_for_all_values_of_a_field(gateway, target, name, first, second):
    def ask(values):
        fields = "".join(f"{name}: {value}\r\n" for value in values)
        text = f"{name} {first}".encode()
        answer = gateway.raw((f"POST /c/crm/refunds HTTP/1.1\r\nHost: 127.0.0.1\r\n{fields}"
                              f"Content-Length: {len(text)}\r\nConnection: close\r\n"
                              f"Authorization: {gateway.bearer()['Authorization']}\r\n\r\n").encode() + text, keep=True)
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body)

    status, problem = ask(first)
    assert status == 403
    approvals(gateway, "approve", problem["request"])
    status, other = ask(second)
    assert status == 403 and other["request"] != problem["request"]
    assert target.requests == []
    assert ask(first)[0] == 200


def test_a_chunked_body_is_approved_whole(gateway, target):
    def pieces():
        yield b"one,"
        yield b"two"
    held = post(gateway, body=pieces())
    assert approvals(gateway, "show", held.json()["request"])["parameters"][0]["value"] == "one,two"
    approvals(gateway, "approve", held.json()["request"])
    assert post(gateway, body=pieces()).status_code == 200
    assert target.requests[0][2] == b"one,two"


def test_a_body_that_nobody_would_read_is_refused(gateway, target):
    answer = post(gateway, body="x" * 300_000)
    assert answer.status_code == 403 and "too large" in answer.json()["detail"]
    assert answer.json()["next_action"] == "none"
    assert target.requests == []
