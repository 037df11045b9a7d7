"""Who is told of requests for approval: a real receiver on loopback, signatures checked by the
specification of Standard Webhooks, Slack's messages, and votes that come back from Slack."""

import base64
import hashlib
import hmac
import http.server
import json
import threading
import time
import urllib.parse

import psycopg
import pytest
from agents import Admin
from conftest import Demo, port_base
from own_postgres import free_port

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
SLACK_SECRET = "slack-signing-secret-of-the-test"
POLICIES = """\
@id("all-connect") permit (principal, action == Action::"connect", resource);
@id("all-read") permit (principal, action in Action::"sql:read", resource);
@id("change") @approvers("dba, support") @ttl("10m") @mode("statement")
permit (principal in Group::"support", action in Action::"sql:write", resource in Connection::"shop")
when { context has approval && context.approval.boundHash == context.stmt.hash };
@id("dba-all") permit (principal in Group::"dba", action, resource);
@id("support-votes") permit (principal in Group::"support",
  action in [Action::"approve", Action::"reject"], resource);
"""
MORE = """\
approvals:
  pending_s: 10
  webhooks:
    - name: audit
      url: {receiver}/audit
      secret: file:{folder}/webhook.secret
    - name: chat
      format: slack
      url: file:{folder}/slack.url
      events: [requested, decided]
  slack:
    signing_secret: file:{folder}/slack.secret
    team: T1
    users:
      U-DANA: {{subject: dana}}
      U-ALICE: {{subject: alice}}
      U-SAM: {{subject: sam}}
      U-GONE: {{subject: nobody}}
"""


class Receiver:
    """Takes what is posted to it; fails while `failures` are left, and answers as `answers` say to
    what has their text in it."""

    def __init__(self, port=0):
        self.taken, self.refused, self.failures, self.lock = [], [], 0, threading.Condition()
        self.answers = {}
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver.lock:
                    failing = receiver.failures > 0
                    receiver.failures -= failing
                    status = next((status for text, status in receiver.answers.items()
                                   if text.encode() in body), 500 if failing else 200)
                    failing = status != 200
                    (receiver.refused if failing else receiver.taken).append(
                        (self.path, dict(self.headers.items()), body))
                    receiver.lock.notify_all()
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait(self, path, predicate, seconds=20):
        """The body of the first message at `path` that fits."""
        end = time.monotonic() + seconds
        with self.lock:
            while True:
                for at, headers, body in self.taken:
                    if at == path and predicate(json.loads(body)):
                        return headers, body
                left = end - time.monotonic()
                assert left > 0, self.taken
                self.lock.wait(left)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Shop:
    def __init__(self, folder, receiver_port, *options):
        if not (folder / "policies").exists():
            (folder / "policies").mkdir()
        (folder / "policies/10.cedar").write_text(POLICIES)
        (folder / "webhook.secret").write_text(SECRET + "\n")
        (folder / "slack.secret").write_text(SLACK_SECRET + "\n")
        url = f"http://127.0.0.1:{receiver_port}"
        (folder / "slack.url").write_text(url + "/slack\n")
        (folder / "more.yaml").write_text(MORE.format(receiver=url, folder=folder))
        self.demo = Demo(folder, "--policies", str(folder / "policies"), "--config",
                         str(folder / "more.yaml"), *options)
        self.admin = Admin(self.demo.ready["admin"]["url"], self.demo.ready["ca_file"])

    def call(self, user, method, path, body=None):
        return self.admin.api(method, "/api/v1/approvals" + path,
                              self.demo.ready["users"][user]["token"], body)

    def ask(self, sql):
        """Starts the statement; the request's id and what becomes of it."""
        result = []

        def run():
            try:
                with psycopg.connect(self.demo.dsn("alice"), autocommit=True) as alice:
                    alice.execute(sql)
                result.append("ran")
            except psycopg.Error as error:
                result.append(error.sqlstate)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        end = time.monotonic() + 20
        while time.monotonic() < end:
            for one in self.call("dana", "GET", "?state=pending")[1]["approvals"]:
                if one["text"] == sql:
                    return one["id"], lambda: (thread.join(30), result)[1]
            time.sleep(0.05)
        raise AssertionError("nobody asked")

    def click(self, request, verb="approve", user="U-DANA", team="T1", secret=SLACK_SECRET,
              age=0, answer_url="", tamper=b""):
        payload = {"type": "block_actions", "team": {"id": team}, "user": {"id": user},
                   "actions": [{"action_id": verb, "value": request, "type": "button"}],
                   "response_url": answer_url}
        body = urllib.parse.urlencode({"payload": json.dumps(payload)}).encode()
        stamp = str(int(time.time()) - age)
        signature = "v0=" + hmac.new(secret.encode(), f"v0:{stamp}:".encode() + body,
                                     hashlib.sha256).hexdigest()
        return self.admin.call("POST", "/api/v1/slack/interactive", body + tamper, {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signature})


def check_signature(headers, body):
    """By the specification, with nothing of ours."""
    headers = {name.lower(): value for name, value in headers.items()}
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == "v1," + expected
    assert abs(time.time() - int(headers["webhook-timestamp"])) < 60
    return headers["webhook-id"]


@pytest.fixture(scope="module")
def receiver():
    one = Receiver()
    yield one
    one.close()


@pytest.fixture(scope="module")
def shop(tmp_path_factory, receiver):
    one = Shop(tmp_path_factory.mktemp("webhooks"), receiver.port)
    yield one
    one.demo.stop()


def about(request, kind):
    return lambda body: body.get("type") == kind and body["data"]["id"] == request


def test_requested_and_decided_are_told_and_signed(shop, receiver):
    sql = "delete from orders where id = 900001"
    request, result = shop.ask(sql)
    headers, body = receiver.wait("/audit", about(request, "approval.requested"))
    first = check_signature(headers, body)
    data = json.loads(body)["data"]
    assert data["text"] == sql and data["who"] == "alice" and data["connection"] == "shop"
    assert data["estimate"].startswith("about ") and data["routes"][0]["policy"] == "change"
    shop.call("dana", "POST", f"/{request}/approve")
    headers, body = receiver.wait("/audit", about(request, "approval.approved"))
    assert check_signature(headers, body) != first
    assert json.loads(body)["data"]["by"] == "dana"
    assert result() == ["ran"]


def test_nobody_decided_is_told_too(shop, receiver):
    request, result = shop.ask("delete from orders where id = 900002")
    receiver.wait("/audit", about(request, "approval.expired"), 25)
    assert result() == ["42501"]


def test_what_is_not_taken_comes_again_under_the_same_id(shop, receiver):
    with receiver.lock:
        receiver.failures, before = 2, len(receiver.refused)
    request, _ = shop.ask("delete from orders where id = 900003")
    shop.call("dana", "POST", f"/{request}/deny")
    headers, body = receiver.wait("/audit", about(request, "approval.requested"), 40)
    refused = [one for one in receiver.refused[before:] if one[0] == "/audit"]
    ids = {check_signature(h, b) for _, h, b in refused
           if json.loads(b)["type"] == "approval.requested"}
    if ids:  # the two failures may have hit Slack's messages instead
        assert ids == {check_signature(headers, body)}
    assert len(receiver.refused) - before == 2


def of_audit(messages, text):
    return [body for at, _, body in messages if at == "/audit" and text.encode() in body]


def test_a_message_that_is_not_taken_holds_up_no_other(shop, receiver):
    receiver.answers = {"poisoned 500": 500}
    bad, _ = shop.ask("delete from orders where id = 900010 /* poisoned 500 */")
    end = time.monotonic() + 20
    while not of_audit(receiver.refused, bad):
        assert time.monotonic() < end
        time.sleep(0.02)
    good, _ = shop.ask("delete from orders where id = 900011")
    receiver.wait("/audit", about(good, "approval.requested"))
    assert len(of_audit(receiver.refused, bad)) == 1
    shop.call("dana", "POST", f"/{bad}/deny")
    shop.call("dana", "POST", f"/{good}/deny")
    receiver.answers = {}
    receiver.wait("/audit", about(bad, "approval.requested"))


def test_what_is_refused_is_not_sent_again(shop, receiver):
    receiver.answers = {"poisoned 400": 400}
    bad, _ = shop.ask("delete from orders where id = 900012 /* poisoned 400 */")
    end = time.monotonic() + 20
    while 'sallyport_webhooks_total{result="refused"}' not in shop.admin.call("GET", "/metrics")[1]:
        assert time.monotonic() < end
        time.sleep(0.05)
    time.sleep(3)
    assert len(of_audit(receiver.refused, bad)) == 1
    receiver.answers = {}
    shop.call("dana", "POST", f"/{bad}/deny")


def test_what_is_not_told_yet_survives_a_restart(tmp_path):
    port, options = free_port(), port_base()
    before = Shop(tmp_path, port, *options)
    request, _ = before.ask("delete from orders where id = 900004")
    before.call("dana", "POST", f"/{request}/deny")
    end = time.monotonic() + 20
    while 'sallyport_webhooks_total{result="failed"}' not in before.admin.call("GET", "/metrics")[1]:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert before.demo.stop() == 0
    receiver = Receiver(port)
    after = Shop(tmp_path, port, *options)
    try:
        for kind in ("approval.requested", "approval.denied"):
            headers, body = receiver.wait("/audit", about(request, kind), 40)
            check_signature(headers, body)
    finally:
        after.demo.stop()
        receiver.close()


def slack_message(receiver, request):
    return json.loads(receiver.wait("/slack", lambda body: request in body["text"])[1])


def test_slack_shows_it_and_a_click_is_a_vote(shop, receiver):
    request, result = shop.ask("delete from orders where id = 900005")
    message = slack_message(receiver, request)
    buttons = [one for block in message["blocks"] if block["type"] == "actions"
               for one in block["elements"]]
    assert [(one["action_id"], one["value"]) for one in buttons] == [
        ("approve", request), ("deny", request)]
    assert "delete from orders where id = 900005" in json.dumps(message)
    status, body = shop.click(request, answer_url=f"http://127.0.0.1:{receiver.port}/answer")
    assert status == 200 and "approved" in body["text"], body
    assert result() == ["ran"]
    vote = shop.call("dana", "GET", "/" + request)[1]["votes"][0]
    assert vote["voter"] == "dana" and vote["reason"] == "in Slack"
    answer = receiver.wait("/answer", lambda body: request in body["text"])[1]
    assert json.loads(answer)["response_type"] == "ephemeral"


def test_slack_takes_no_yes_to_what_it_does_not_show(shop, receiver):
    # A backquote would end Slack's block of code, so another character is shown.
    request, result = shop.ask("delete from orders where id = 900008 and status <> '`'")
    message = slack_message(receiver, request)
    assert [block for block in message["blocks"] if block["type"] == "actions"] == []
    assert request in json.dumps(message["blocks"][-1])
    assert "Slack does not show all of it" in shop.click(request)[1]["text"]
    assert shop.call("dana", "GET", "/" + request)[1]["votes"] == []
    shop.call("dana", "POST", f"/{request}/deny")
    assert result() == ["42501"]


def test_slack_shows_what_names_stand_for(shop, receiver):
    request, _ = shop.ask("delete from orders where id = 900009")
    told = json.dumps(slack_message(receiver, request))
    one = shop.call("dana", "GET", "/" + request)[1]
    for part in [*one["bound"], *(touched["action"] for touched in one["touches"])]:
        assert json.dumps(part)[1:-1] in told, (part, told)
    shop.call("dana", "POST", f"/{request}/deny")


def test_a_click_is_decided_like_any_vote(shop):
    request, result = shop.ask("delete from orders where id = 900006")
    for user, told in (("U-ALICE", "who asks, or is asked for"), ("U-SAM", "not permitted"),
                       ("U-GONE", "does not say who you are"), ("U-XXX", "does not say who you are")):
        status, body = shop.click(request, user=user)
        assert status == 200 and told in body["text"], body
    assert shop.call("dana", "GET", "/" + request)[1]["votes"] == []
    assert shop.click("apr_0", user="U-DANA")[1]["text"] == "there is no such request"
    assert "is denied" in shop.click(request, "deny")[1]["text"]
    assert "denied already" in shop.click(request)[1]["text"]
    assert result() == ["42501"]


def test_what_slack_did_not_sign_is_no_vote(shop):
    request, result = shop.ask("delete from orders where id = 900007")
    for wrong in ({"secret": "another"}, {"age": 301}, {"age": -301}, {"tamper": b"&x=1"}):
        status, body = shop.click(request, **wrong)
        assert status == 401, (wrong, body)
    assert shop.click(request, team="T2")[0] == 403
    assert shop.admin.call("POST", "/api/v1/slack/interactive", b"payload=%7B%7D")[0] == 401
    assert shop.call("dana", "GET", "/" + request)[1]["votes"] == []
    shop.call("dana", "POST", f"/{request}/deny")
    assert result() == ["42501"]


def test_no_secret_is_in_the_log(shop):
    text = shop.demo.output()
    assert SLACK_SECRET not in text and SECRET not in text and "/slack" not in text
