"""The corpus of smuggling_h2.py, with Python's, nginx' and Node's servers behind, which speak HTTP/1.1: no request of it
reaches them, and one that is good comes through whole."""

import collections

import pytest
from http2_wire import Wire
from smuggling_h2 import cases, request
from test_http_smuggling import KINDS, POLICY, connections_to, settled, targets, until_ready  # noqa: F401
from web import WebGateway, running_gateway


@pytest.fixture(scope="module")
def gateway(targets, tmp_path_factory):
    for running in running_gateway(WebGateway(tmp_path_factory.mktemp("smuggling"), connections_to(targets), POLICY,
                                              tls=True)):
        until_ready(lambda kind: ask(running, kind, "/ready") == 200)
        yield running


def ask(gateway, kind, path):
    with Wire(gateway.ports["http"]) as wire:
        return wire.finish(wire.request(request(kind, gateway.token(), method="GET", path=path)))[0]


@pytest.mark.parametrize("kind", KINDS)
def test_no_request_of_the_corpus_reaches_a_target(gateway, targets, kind):
    before = settled(targets[kind], 1)
    wrong, counted = [], collections.Counter()
    for category, what, send in cases(kind, gateway.token()):
        counted[category] += 1
        with Wire(gateway.ports["http"]) as wire:
            status, _ = wire.finish(send(wire))
            refused = status is not None and status >= 400
            if not refused and (status is not None or not (wire.resets or wire.over)):
                wrong.append((category, what, status))
    assert wrong == []
    assert sum(counted.values()) >= 150, counted
    print(f"{sum(counted.values())} refused: {dict(counted)}")
    assert ask(gateway, kind, "/last") == 200
    # Bodies stream: what is wrong with one may be seen once its request has begun, and nginx logs that.
    begun = counted["content-length"] + counted["trailers"]
    seen = settled(targets[kind], len(before) + 1)[len(before):]
    assert seen[-1] == "GET /last"
    assert set(seen[:-1]) <= {"POST /notes"} and len(seen) - 1 <= begun, seen
