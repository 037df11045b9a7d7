"""The corpus of smuggling.py, with Python's, nginx' and Node's servers behind: no request of it reaches them, and what
does is what was decided and recorded."""

import collections
import pathlib
import re
import shutil
import subprocess
import time

import pytest
from own_postgres import free_port
from smuggling import build, cases, unusual
from web import CONNECTION, Recorder, WebGateway

POLICY = """\
@id("all") permit (principal, action, resource);
"""

NODE = """\
const http = require('http');
http.createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    console.log(request.method + ' ' + request.url);
    response.end('node');
  });
}).listen(Number(process.argv[2]), '127.0.0.1');
"""

NGINX = """\
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
  log_format line '$request_method $request_uri';
  access_log {folder}/seen line;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 "nginx"; }} }}
}}
"""


class Seen:
    """A server of another make, and the lines that it has seen."""

    def __init__(self, kind, folder):
        self.kind, self.port, self.process = kind, free_port(), None
        self.file = pathlib.Path(folder) / f"{kind}.seen"
        if kind == "python":
            self.recorder = Recorder()
            self.port = self.recorder.port
        elif kind == "node":
            script = pathlib.Path(folder) / "server.js"
            script.write_text(NODE)
            self.process = subprocess.Popen(["node", script, str(self.port)], stdout=open(self.file, "wb"))
        else:
            home = pathlib.Path(folder) / "nginx"
            home.mkdir()
            (home / "nginx.conf").write_text(NGINX.format(folder=home, port=self.port))
            self.file = home / "seen"
            self.process = subprocess.Popen([shutil.which("nginx") or "/usr/sbin/nginx", "-c", home / "nginx.conf"])

    def lines(self):
        if self.kind == "python":
            return [line.removesuffix(" HTTP/1.1") for line in self.recorder.lines()]
        return self.file.read_text().splitlines() if self.file.exists() else []

    def stop(self):
        if self.process is None:
            return self.recorder.close()
        self.process.terminate()
        self.process.wait()


KINDS = ["python", "nginx", "node"]


@pytest.fixture(scope="module")
def targets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("targets")
    all_of_them = {kind: Seen(kind, folder) for kind in KINDS}
    yield all_of_them
    for target in all_of_them.values():
        target.stop()


def connections_to(targets):
    return "".join(f"  {kind}:\n    protocol: http\n    url: http://127.0.0.1:{target.port}\n"
                   for kind, target in targets.items())


def until_ready(ask):
    """The targets may need a moment."""
    end = time.monotonic() + 20
    for kind in KINDS:
        while not ask(kind):
            assert time.monotonic() < end, kind
            time.sleep(0.1)


@pytest.fixture(scope="module")
def gateway(targets, tmp_path_factory):
    running = WebGateway(tmp_path_factory.mktemp("smuggling"), connections_to(targets), POLICY).start()
    token = running.token().encode()
    until_ready(lambda kind: running.raw(build(kind.encode(), token, method=b"GET")).startswith(b"HTTP/1.1 200 "))
    yield running
    running.stop()
    running.verify()


def heads(answer):
    return re.findall(rb"HTTP/1\.1 \d{3} ", answer)


def settled(target, count):
    """What it has seen, once it has had the time to see more."""
    end = time.monotonic() + 5
    while len(target.lines()) < count and time.monotonic() < end:
        time.sleep(0.02)
    return target.lines()


@pytest.mark.parametrize("kind", KINDS)
def test_no_request_of_the_corpus_reaches_a_target(gateway, targets, kind):
    before = settled(targets[kind], 1)
    wrong, counted = [], collections.Counter()
    for category, what, data in cases(kind, gateway.token()):
        counted[category] += 1
        answer = gateway.raw(data)
        status = answer[9:12].decode() if answer.startswith(b"HTTP/1.1 ") else ""
        if not status.startswith(("4", "5")) or len(heads(answer)) != 1:
            wrong.append((category, what, answer[:200]))
    assert wrong == []
    assert sum(counted.values()) >= 150, counted
    print(f"{sum(counted.values())} refused: {dict(counted)}")
    # One that is good comes through, and is the only one.
    assert gateway.raw(build(kind.encode(), gateway.token().encode(), method=b"GET", path=b"/last")).startswith(
        b"HTTP/1.1 200 ")
    # Bodies stream: a request whose body breaks off later is begun, and nginx answers and logs it at its head.
    begun = counted["chunks"] if kind == "nginx" else 0
    seen = settled(targets[kind], len(before) + 1)[len(before):]
    assert seen[-1] == "GET /last"
    assert set(seen[:-1]) <= {"POST /notes"} and len(seen) - 1 <= begun, seen


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_unusual_is_seen_as_it_was_decided(gateway, targets, kind):
    for what, data, line in unusual(kind, gateway.token()):
        before = len(settled(targets[kind], 1))
        answer = gateway.raw(data)
        assert heads(answer) == [b"HTTP/1.1 200 "], (what, answer[:300])
        assert settled(targets[kind], before + 1)[before:] == [line], what
    time.sleep(0.3)
    broken_off = {one["data"]["command"] for one in gateway.records("--kind", "outcome") if one["data"]["failed"]}
    decided = [one["data"]["command"]["text"] for one in gateway.records("--kind", "command")
               if one["data"]["connection"] == kind and one["data"]["command"]["kind"] == "request"
               and (kind == "nginx" or one["sequence"] not in broken_off)]
    assert sorted(decided) == sorted(targets[kind].lines())


@pytest.mark.parametrize("kind", KINDS)
def test_pipelined_requests_are_each_decided(gateway, targets, kind):
    token = gateway.token().encode()
    before = len(settled(targets[kind], 1))
    one = [build(kind.encode(), token, method=b"GET", path=b"/p%d" % i) for i in range(8)]
    answer = gateway.raw(b"".join(one))
    assert answer.count(b"HTTP/1.1 200 ") == 8
    assert settled(targets[kind], before + 8)[before:] == [f"GET /p{i}" for i in range(8)]
