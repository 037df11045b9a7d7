"""What smuggling.py is for HTTP/1.1: requests of HTTP/2 that become something else, or more than one, where they are
passed on in HTTP/1.1, or that break HTTP/2's own rules. Each is to be refused."""

import struct

from http2_wire import (CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PUSH, RST_STREAM, SETTINGS,
                        WINDOW_UPDATE, frame)

SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def request(name, auth, method="POST", path="/notes", more=(), **changed):
    """The fields of a good request, some of them changed; None leaves one out."""
    fields = {":method": method, ":scheme": "https", ":authority": "127.0.0.1", ":path": f"/c/{name}{path}",
              "authorization": f"Bearer {auth}"}
    fields.update({f":{key}": value for key, value in changed.items()})
    return [(key, value) for key, value in fields.items() if value is not None] + list(more)


def cases(name, auth):
    """(category, description, what is sent with a Wire, which gives the stream or None) of each."""

    def made(category, what, body=None, trailers=None, **parts):
        fields = request(name, auth, **parts)
        return category, what, lambda wire: wire.request(fields, body, trailers=trailers)

    def raw(category, what, frames):
        return category, what, frames

    # ---- what would be lines of HTTP/1.1 ----
    for end in ("\r\n", "\n", "\r", "\0", "\r\n\r\n", "\x0b", "\x7f"):
        yield made("injection", f"{end!r} in a value", more=[("x-a", f"b{end}Transfer-Encoding: chunked")])
        yield made("injection", f"{end!r} in a value, and a request", more=[("x-a", f"b{end}{end}{SMUGGLED}")])
        yield made("injection", f"{end!r} in a name", more=[(f"x-a: b{end}y", "c")])
        yield made("injection", f"{end!r} in :path", path=f"/notes{end}X: y")
        yield made("injection", f"{end!r} in :path, and a request", path=f"/notes HTTP/1.1{end}{end}{SMUGGLED}")
        yield made("injection", f"{end!r} in :authority", authority=f"127.0.0.1{end}X: y")
        yield made("injection", f"{end!r} in :scheme", scheme=f"https{end}X: y")
        yield made("injection", f"{end!r} in :method", method=f"GET / HTTP/1.1{end}X: y")
        yield made("injection", f"{end!r} behind a value", more=[("x-a", f"b{end}")])
    for method in ("GET /c/x", "GET ", " GET", "", "get", "GET\t/", "PRI", "CONNECT", "TRACE", "FOO"):
        yield made("method", repr(method), method=method)

    # ---- fields about a connection ----
    for field, value in [("transfer-encoding", "chunked"), ("transfer-encoding", "identity"), ("connection", "close"),
                         ("connection", "x-secret"), ("connection", "keep-alive, transfer-encoding"),
                         ("keep-alive", "timeout=5"), ("proxy-connection", "keep-alive"), ("upgrade", "websocket"),
                         ("upgrade", "h2c"), ("te", "chunked"), ("te", "trailers, chunked"), ("te", "gzip")]:
        yield made("connection", f"{field}: {value}", more=[(field, value)], body=b"5\r\nhello\r\n0\r\n\r\n")
    for field in ("Transfer-Encoding", "X-Upper", "Host", "content-lengtH", "transfer-encoding ", " x", "x y", "x:y",
                  "x\t", "", "x(", "x\xe9", 'x"', "x{", "x,", "x/"):
        yield made("names", repr(field), more=[(field, "chunked")], body=b"x")
    for value in (" chunked", "a ", "\ta", "a\t"):
        yield made("values", repr(value), more=[("x-a", value)])

    # ---- content-length ----
    for said, body in [("5", b"hello world"), ("50", b"hello"), ("0", b"hello"), ("5", None), ("5", b""), ("+5", b"hello"),
                       ("05", b"hello"), ("5,5", b"hello"), ("five", b"hello"), ("-1", b"hello"), ("0x5", b"hello"),
                       ("5 ", b"hello"), ("", b"hello"), ("18446744073709551621", b"hello"), ("5\0", b"hello")]:
        yield made("content-length", f"{said!r} of {body!r}", more=[("content-length", said)], body=body)
    for first, second in [("5", "6"), ("5", "5"), ("6", "5"), ("0", "5")]:
        yield made("content-length", f"{first} and {second}", body=b"hello",
                   more=[("content-length", first), ("content-length", second)])
    yield made("content-length", "with a request behind the body", more=[("content-length", "5")],
               body=b"hello" + SMUGGLED.encode())

    # ---- pseudo-header fields ----
    for key in (":method", ":scheme", ":path", ":authority"):
        def without(wire, key=key):
            return wire.request([one for one in request(name, auth) if one[0] != key], b"x")

        def twice(wire, key=key):
            fields = request(name, auth)
            return wire.request([one for one in fields if one[0] == key] + fields, b"x")

        def empty(wire, key=key):
            return wire.request([(k, "" if k == key else v) for k, v in request(name, auth)], b"x")
        yield raw("pseudo", f"no {key}", without)
        yield raw("pseudo", f"{key} twice", twice)
        yield raw("pseudo", f"empty {key}", empty)
        yield made("pseudo", f"{key} behind the others", more=[(key, "GET")])
    for key, value in [(":status", "200"), (":unknown", "x"), (":", "x"), (":protocol", "websocket")]:
        def with_it(wire, key=key, value=value):
            fields = request(name, auth)
            return wire.request(fields[:4] + [(key, value)] + fields[4:], b"x")
        yield raw("pseudo", f"{key}: {value}", with_it)
    yield made("pseudo", "another host", more=[("host", "crm.gw.test")])
    yield made("pseudo", "host of another port", more=[("host", "127.0.0.1:1")])
    yield made("pseudo", "host twice", more=[("host", "127.0.0.1"), ("host", "127.0.0.1")])
    yield made("pseudo", "host alone, twice", authority=None, more=[("host", "127.0.0.1"), ("host", "127.0.0.1")])
    for authority in ("user@127.0.0.1", "127.0.0.1:0x50", "127.0.0.1:99999", "127.0.0.1/x", "127.0.0.1#", "127.0.0.1 x",
                      "127.0.0.1,evil", "127.0.0.1\\", "..", "[::1", "evil.example", "127.0.0.1?x"):
        yield made("pseudo", f":authority {authority}", authority=authority)
    for scheme in ("ftp", "HTTPS", "https://x", "javascript", "https ", "wss"):
        yield made("pseudo", f":scheme {scheme!r}", scheme=scheme)

    # ---- paths ----
    for path in ("/a b", "/a\tb", "/../x", "/a/../b", "/./a", "//a", "/a//b", "/%2e%2e/x", "/a%2fb", "/a%5cb", "/a\\b",
                 "/a%00", "/a;b", "/a%3bb", "/a#b", "/a%", "/a%zz", "/a%252e", "/\xe9", "/%ff", "/a?b c", "/a?b#c",
                 "/a?b\"c", "/a?b;c", "/a?%00", "/a%0d%0aX:%20y", "/a HTTP/1.1", "/a<b", "/a|b", "/a\"b"):
        yield made("path", repr(path), path=path)
    for whole in ("*", "c/x", "https://127.0.0.1/c/" + name, "http://evil/", "//evil/", "?x", "/", "/c"):
        def elsewhere(wire, whole=whole):
            return wire.request([(k, whole if k == ":path" else v) for k, v in request(name, auth)], b"x")
        yield raw("path", f"as a whole {whole!r}", elsewhere)

    # ---- behind the body ----
    for fields in ([("x-a", "b")], [("content-length", "0")], [("transfer-encoding", "chunked")], [(":path", "/x")],
                   [("authorization", "Bearer x")], []):
        yield made("trailers", repr(fields), body=b"hello", trailers=fields)

    # ---- frames ----
    def good(wire, flags=END_HEADERS | END_STREAM, stream=1):
        return frame(HEADERS, flags, stream, wire.pack(request(name, auth, method="GET")))

    def frames(what, build, stream=1):
        def send(wire):
            wire.send(build(wire))
            return stream
        return raw("frames", what, send)

    yield frames("DATA on no stream", lambda w: frame(DATA, END_STREAM, 0, b"x"))
    yield frames("DATA on a stream that is not open", lambda w: frame(DATA, END_STREAM, 1, b"x"))
    yield frames("HEADERS on no stream", lambda w: good(w, stream=0))
    yield frames("HEADERS on a stream of the server's", lambda w: good(w, stream=2), 2)
    yield frames("DATA in a header section", lambda w: good(w, END_STREAM) + frame(DATA, 0, 1, b"x"))
    yield frames("PING in a header section", lambda w: good(w, END_STREAM) + frame(PING, 0, 0, b"12345678"))
    yield frames("CONTINUATION of another", lambda w: good(w, END_STREAM) + frame(CONTINUATION, END_HEADERS, 3))
    yield frames("CONTINUATION of none", lambda w: frame(CONTINUATION, END_HEADERS, 1, w.pack(request(name, auth))))
    yield frames("padding longer than the frame", lambda w: frame(HEADERS, END_HEADERS | END_STREAM | 8, 1, b"\xff" +
                 w.pack(request(name, auth))[:50]))
    yield frames("a frame that is too large", lambda w: frame(HEADERS, END_HEADERS, 1, b"\x82" * 20_000))
    yield frames("PUSH_PROMISE", lambda w: frame(PUSH, END_HEADERS, 1, struct.pack(">I", 2) + w.pack(request(name, auth))))
    yield frames("a stream that depends on itself", lambda w: frame(HEADERS, END_HEADERS | END_STREAM | 32, 1, struct.pack(
        ">IB", 1, 1) + w.pack(request(name, auth, path="/a b"))))
    yield frames("SETTINGS of no whole entry", lambda w: frame(SETTINGS, 0, 0, b"12345"))
    yield frames("SETTINGS with a window that is none", lambda w: frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 2**31)))
    yield frames("a window of more than fits", lambda w: frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 2**31 - 1)) * 2)
    yield frames("a window of nothing", lambda w: frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 0)))
    yield frames("RST_STREAM of a stream that is not open", lambda w: frame(RST_STREAM, 0, 1, struct.pack(">I", 8)))
    yield frames("HTTP/1.1 behind the preface", lambda w: SMUGGLED.encode())
    for what, block in {"an index of no entry": b"\xff\x80\x01", "index 0": b"\x80", "an integer without end": b"\xff" * 20,
                        "a string longer than the section": b"\x00\x7f\xff\x7f" + b"a", "a table too large": b"\x3f\xff\xff\x7f",
                        "a code that is none": b"\x00\x84\xff\xff\xff\xff\x01a"}.items():
        yield frames(f"HPACK: {what}", lambda w, block=block: frame(HEADERS, END_HEADERS | END_STREAM, 1, block))
