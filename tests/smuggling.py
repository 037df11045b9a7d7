"""Requests that two readers could understand differently, or that are none, by category. Each is a name and the bytes
of a POST or GET to /c/NAME/notes; SMUGGLED stands where another reader would see a second request.

All are to be refused: no target may see a request of them, and none at all from where they go wrong."""

SMUGGLED = b"GET /c/crm/smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def build(name, auth, line=None, fields=(), body=b"", host=b"Host: 127.0.0.1\r\n", end=b"\r\n", method=b"POST",
          path=b"/notes", version=b"HTTP/1.1"):
    line = line if line is not None else method + b" /c/" + name + path + b" " + version + b"\r\n"
    return line + host + b"Authorization: Bearer " + auth + b"\r\n" + b"".join(fields) + end + body


def cases(name, auth):
    """(category, description, bytes) of each."""
    name, auth = name.encode(), auth.encode()
    chunk = b"5\r\nhello\r\n0\r\n\r\n"

    def made(category, what, **parts):
        parts.setdefault("body", b"")
        return category, what, build(name, auth, **parts)

    # ---- two lengths ----
    for what, fields in {
            "CL and TE": [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"],
            "TE and CL": [b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n"],
            "CL.0 and TE": [b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n"],
            "CL and TE in lower case": [b"content-length: 5\r\n", b"transfer-encoding: chunked\r\n"],
            "CL and empty TE": [b"Content-Length: 5\r\n", b"Transfer-Encoding: \r\n"],
            "CL and TE identity": [b"Content-Length: 5\r\n", b"Transfer-Encoding: identity\r\n"],
            "CL and TE with a space before the colon": [b"Content-Length: 5\r\n", b"Transfer-Encoding : chunked\r\n"],
            "CL and TE folded": [b"Content-Length: 5\r\n", b"Transfer-Encoding:\r\n chunked\r\n"],
    }.items():
        yield made("two lengths", what, fields=fields, body=chunk + SMUGGLED)
    for first, second in [(b"5", b"6"), (b"5", b"5"), (b"0", b"5"), (b"5", b"0"), (b"5", b"")]:
        yield made("two lengths", f"CL twice {first} {second}",
                   fields=[b"Content-Length: " + first + b"\r\n", b"Content-Length: " + second + b"\r\n"],
                   body=b"hello" + SMUGGLED)

    # ---- Content-Length ----
    for value in [b"+5", b"-5", b"5,5", b"5, 6", b"0x5", b"5 5", b"5.0", b"5e0", b"05", b"005", b"five", b"", b"5;",
                  b"5\t5", b"18446744073709551616", b"99999999999999999999", b"-0", b"5\x0b", b"'5'", b'"5"', b"5_0",
                  b"\xef\xbc\x95", b"\xb2", b"0b101", b"1\x005"]:
        yield made("Content-Length", repr(value), fields=[b"Content-Length: " + value + b"\r\n"],
                   body=b"hello" + SMUGGLED)

    # ---- Transfer-Encoding ----
    for value in [b"xchunked", b"chunked, identity", b"identity, chunked", b"chunked, chunked", b"gzip, chunked",
                  b"chunked;q=1", b'"chunked"', b"chunked\x0b", b"\x0bchunked", b"chunk", b"chunkedd", b"identity",
                  b"gzip", b"chunked ,", b", chunked", b"chunked\x00", b"cow", b"deflate", b"Chunked, gzip",
                  b"chunked\xa0", b"chu\tnked", b"[chunked]", b"chunked trailers"]:
        yield made("Transfer-Encoding", repr(value), fields=[b"Transfer-Encoding: " + value + b"\r\n"],
                   body=chunk + SMUGGLED)
    for what, fields in {
            "twice": [b"Transfer-Encoding: chunked\r\n"] * 2,
            "twice, the second another": [b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: x\r\n"],
            "twice, the first another": [b"Transfer-Encoding: x\r\n", b"Transfer-Encoding: chunked\r\n"],
            "space before the colon": [b"Transfer-Encoding : chunked\r\n"],
            "tab before the colon": [b"Transfer-Encoding\t: chunked\r\n"],
            "space before the name": [b" Transfer-Encoding: chunked\r\n"],
            "behind a bare CR": [b"X: y\rTransfer-Encoding: chunked\r\n"],
            "behind a bare LF": [b"X: y\nTransfer-Encoding: chunked\r\n"],
            "ended by LF": [b"Transfer-Encoding: chunked\n"],
            "NUL in the name": [b"Transfer\x00-Encoding: chunked\r\n"],
            "line without a colon": [b"Transfer-Encoding chunked\r\n"],
    }.items():
        yield made("Transfer-Encoding", what, fields=fields, body=chunk + SMUGGLED)

    # ---- chunks ----
    te = [b"Transfer-Encoding: chunked\r\n"]
    for what, body in {
            "extension": b"5;a=b\r\nhello\r\n0\r\n\r\n",
            "extension without a value": b"5;\r\nhello\r\n0\r\n\r\n",
            "extension with a newline in quotes": b'5;a="\r\n"\r\nhello\r\n0\r\n\r\n',
            "extension with a bare LF": b"5;a\nhello\r\n0\r\n\r\n",
            "size with 0x": b"0x5\r\nhello\r\n0\r\n\r\n",
            "size with a sign": b"+5\r\nhello\r\n0\r\n\r\n",
            "negative size": b"-1\r\nhello\r\n0\r\n\r\n",
            "size with a space before": b" 5\r\nhello\r\n0\r\n\r\n",
            "size with a space behind": b"5 \r\nhello\r\n0\r\n\r\n",
            "size with a tab": b"5\t\r\nhello\r\n0\r\n\r\n",
            "size with an underscore": b"0_5\r\nhello\r\n0\r\n\r\n",
            "no size": b"\r\nhello\r\n0\r\n\r\n",
            "no hex": b"g\r\nhello\r\n0\r\n\r\n",
            "size above 64 bits": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
            "size above 32 bits": b"100000005\r\nhello\r\n0\r\n\r\n",
            "size ended by LF": b"5\nhello\r\n0\r\n\r\n",
            "size ended by CR": b"5\rhello\r\n0\r\n\r\n",
            "data too long": b"5\r\nhelloo\r\n0\r\n\r\n",
            "data too short": b"5\r\nhell\r\n0\r\n\r\n",
            "data ended by LF": b"5\r\nhello\n0\r\n\r\n",
            "data ended by nothing": b"5\r\nhello0\r\n\r\n",
            "data ended by CR CR LF": b"5\r\nhello\r\r\n0\r\n\r\n",
            "trailer": b"5\r\nhello\r\n0\r\nX: y\r\n\r\n",
            "trailer with a length": b"5\r\nhello\r\n0\r\nContent-Length: 50\r\n\r\n",
            "trailer with a Host": b"5\r\nhello\r\n0\r\nHost: evil\r\n\r\n",
            "end by LF": b"5\r\nhello\r\n0\n\n",
            "end without an empty line": b"5\r\nhello\r\n0\r\n",
            "many zeros": b"000000000000000005\r\nhello\r\n0\r\n\r\n",
            "NUL in the size": b"5\x00\r\nhello\r\n0\r\n\r\n",
    }.items():
        yield made("chunks", what, fields=te, body=body + SMUGGLED)

    # ---- lines ----
    get = {"method": b"GET"}
    for what, fields in {
            "bare CR in a value": [b"X: a\rb\r\n"], "bare LF ends a line": [b"X: a\n"],
            "bare CR ends a line": [b"X: a\rY: b\r\n"], "NUL in a value": [b"X: a\x00b\r\n"],
            "folded line": [b"X: a\r\n b\r\n"], "folded by a tab": [b"X: a\r\n\tb\r\n"],
            "space before the colon": [b"X : a\r\n"], "no colon": [b"X\r\n"], "no name": [b": a\r\n"],
            "space in the name": [b"X Y: a\r\n"], "control character in the name": [b"X\x01: a\r\n"],
            "control character in a value": [b"X: \x01\r\n"], "DEL in a value": [b"X: \x7f\r\n"],
            "the name is not ASCII": [b"X\xe9: a\r\n"], "brackets in the name": [b"X[]: a\r\n"],
            "quote in the name": [b'X": a\r\n'], "vertical tab": [b"X: a\x0bb\r\n"],
            "an empty line with a space": [b" \r\n"], "the first line is folded": [b" X: y\r\n"],
            "LF LF ends the head": [b"X: a\n\n" + SMUGGLED],
            "CR LF LF": [b"X: a\r\n\n" + SMUGGLED],
    }.items():
        yield made("lines", what, fields=fields, body=SMUGGLED, **get)

    # ---- request line ----
    path = b"/c/" + name + b"/notes"
    for what, line in {
            "two spaces": b"GET  " + path + b" HTTP/1.1\r\n", "tab": b"GET\t" + path + b" HTTP/1.1\r\n",
            "two spaces before the version": b"GET " + path + b"  HTTP/1.1\r\n",
            "space behind": b"GET " + path + b" HTTP/1.1 \r\n", "no version": b"GET " + path + b"\r\n",
            "HTTP/0.9": b"GET " + path + b" HTTP/0.9\r\n", "HTTP/1.0": b"GET " + path + b" HTTP/1.0\r\n",
            "HTTP/1.2": b"GET " + path + b" HTTP/1.2\r\n", "HTTP/2.0": b"GET " + path + b" HTTP/2.0\r\n",
            "HTTP/1.10": b"GET " + path + b" HTTP/1.10\r\n", "HTTP/01.1": b"GET " + path + b" HTTP/01.1\r\n",
            "http/1.1": b"GET " + path + b" http/1.1\r\n", "HTTP/1,1": b"GET " + path + b" HTTP/1,1\r\n",
            "two targets": b"GET " + path + b" /x HTTP/1.1\r\n", "ended by LF": b"GET " + path + b" HTTP/1.1\n",
            "ended by CR": b"GET " + path + b" HTTP/1.1\r", "a space first": b" GET " + path + b" HTTP/1.1\r\n",
            "a newline first": b"\r\nGET " + path + b" HTTP/1.1\r\n",
            "lower case method": b"get " + path + b" HTTP/1.1\r\n",
            "method with a bracket": b"GET( " + path + b" HTTP/1.1\r\n",
            "TRACE": b"TRACE " + path + b" HTTP/1.1\r\n", "CONNECT": b"CONNECT 127.0.0.1:80 HTTP/1.1\r\n",
            "unknown method": b"SMUGGLE " + path + b" HTTP/1.1\r\n",
            "h2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "asterisk": b"OPTIONS * HTTP/1.1\r\n",
            "no target": b"GET HTTP/1.1\r\n", "NUL": b"GET " + path + b"\x00 HTTP/1.1\r\n",
    }.items():
        yield made("request line", what, line=line, body=SMUGGLED)

    # ---- path ----
    for suffix in [b"/../admin", b"/./notes", b"/%2e%2e/admin", b"/.%2e/admin", b"/%2E./admin", b"//admin", b"/a//b",
                   b"/a%2fb", b"/a%2Fb", b"/a%5cb", b"/a\\b", b"/a;b=c", b"/a%3bb", b"/a%00b", b"/a%0d%0ab",
                   b"/a%0ab", b"/%252e%252e/admin", b"/%2561", b"/a%", b"/a%2", b"/a%zz", b"/a#b", b"/a%c0%af",
                   b"/%c0%ae%c0%ae/admin", b"/%ff", b"/%ed%a0%80", b"/a b", b"/a\x80", b"/\xc3\xa9", b"/a<b", b'/a"b',
                   b"/a|b", b"/a{b}", b"/a^b", b"/a`b", b"/..", b"/.", b"/a/..", b"/..;/admin", b"/%u0061",
                   b"/a?x=%00", b"/a?x=%", b"/a?x=%zz", b"/a?x=\x01", b"/a?x=a b", b"/a?x=#b", b"/a%7fb"]:
        yield made("path", repr(suffix), path=suffix, body=SMUGGLED, **get)

    # ---- host ----
    for what, host in {
            "none": b"", "twice": b"Host: 127.0.0.1\r\nHost: 127.0.0.1\r\n",
            "twice, another": b"Host: 127.0.0.1\r\nHost: evil\r\n", "twice in lower case": b"Host: evil\r\nhost: 127.0.0.1\r\n",
            "empty": b"Host: \r\n", "with a path": b"Host: 127.0.0.1/x\r\n", "with a user": b"Host: a@127.0.0.1\r\n",
            "with a comma": b"Host: 127.0.0.1, evil\r\n", "port that is none": b"Host: 127.0.0.1:x\r\n",
            "port too large": b"Host: 127.0.0.1:99999\r\n", "with a space": b"Host: 127.0.0.1 evil\r\n",
            "space before the colon": b"Host : 127.0.0.1\r\n", "folded": b"Host: 127.0.0.1\r\n evil\r\n",
            "another name": b"Host: evil.example\r\n", "dot behind": b"Host: 127.0.0.1.\r\n",
            "decimal address": b"Host: 2130706433\r\n", "bracket": b"Host: [127.0.0.1\r\n",
    }.items():
        yield made("host", what, host=host, body=SMUGGLED, **get)
    for what, target in {
            "absolute, another host": b"http://evil.example" + path, "absolute with a user": b"http://a@127.0.0.1" + path,
            "another scheme": b"ftp://127.0.0.1" + path, "authority form": b"127.0.0.1:80",
            "no scheme": b"//127.0.0.1" + path, "absolute with dots": b"http://127.0.0.1/c/x/../" + name + b"/notes",
    }.items():
        yield made("host", what, line=b"GET " + target + b" HTTP/1.1\r\n", body=SMUGGLED)

    # ---- fields about the connection ----
    for what, fields in {
            "Connection names Authorization": [b"Connection: Authorization\r\n"],
            "Connection names X-Forwarded-For": [b"Connection: close, X-Forwarded-For\r\n"],
            "Connection names Content-Length": [b"Connection: Content-Length\r\n"],
            "Connection names Host": [b"Connection: Host\r\n"],
            "Connection names nothing": [b"Connection: ,\r\n"],
            "Connection names a cookie": [b"Connection: Cookie\r\n"],
            "unknown expectation": [b"Expect: 200-ok\r\n"],
            "two expectations": [b"Expect: 100-continue\r\n", b"Expect: 100-continue\r\n"],
            "two authorizations": [b"Authorization: Bearer x\r\n"],
            "two cookies": [b"Cookie: a=1\r\n", b"Cookie: b=2\r\n"],
            "two content types": [b"Content-Type: a/b\r\n", b"Content-Type: c/d\r\n"],
    }.items():
        yield made("connection", what, fields=fields, body=SMUGGLED, **get)

    # ---- sizes ----
    yield made("sizes", "a long line", path=b"/" + b"a" * 9000, **get)
    yield made("sizes", "a long field", fields=[b"X: " + b"a" * 40000 + b"\r\n"], **get)
    yield made("sizes", "many fields", fields=[b"X-%d: y\r\n" % i for i in range(200)], **get)
    yield made("sizes", "a large body", fields=[b"Content-Length: 1000000000000\r\n"])
    yield made("sizes", "many parameters", path=b"/a?" + b"&".join(b"p%d=1" % i for i in range(300)), **get)


def unusual(name, auth):
    """What is unusual and yet has one meaning: (description, bytes, the line that the target is to see)."""
    name, auth = name.encode(), auth.encode()
    post = dict(fields=[b"Content-Length: 5\r\n"], body=b"hello")
    chunked = [b"Transfer-Encoding: chunked\r\n"]
    yield "plain", build(name, auth, **post), "POST /notes"
    yield "no space behind the colon", build(name, auth, fields=[b"Content-Length:5\r\n"], body=b"hello"), "POST /notes"
    yield "many spaces", build(name, auth, fields=[b"Content-Length: \t 5 \t\r\n"], body=b"hello"), "POST /notes"
    yield "case", build(name, auth, fields=[b"cOnTeNt-lEnGtH: 5\r\n"], body=b"hello"), "POST /notes"
    yield "chunked in upper case", build(name, auth, fields=[b"TRANSFER-ENCODING: CHUNKED\r\n"],
                                         body=b"A\r\n0123456789\r\n0\r\n\r\n"), "POST /notes"
    yield "one byte chunks", build(name, auth, fields=chunked,
                                   body=b"1\r\na\r\n01\r\nb\r\n0\r\n\r\n"), "POST /notes"
    yield "a body that looks like a request", build(
        name, auth, fields=[b"Content-Length: %d\r\n" % len(SMUGGLED)], body=SMUGGLED), "POST /notes"
    yield "a chunk that looks like a request", build(
        name, auth, fields=chunked, body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)), "POST /notes"
    yield "a body with GET", build(name, auth, method=b"GET", **post), "GET /notes"
    yield "escapes that need not be", build(name, auth, method=b"GET", path=b"/%6eotes/%41%2D"), "GET /notes/A-"
    yield "UTF-8", build(name, auth, method=b"GET", path=b"/%C3%A9"), "GET /%C3%A9"
    yield "space", build(name, auth, method=b"GET", path=b"/a%20b"), "GET /a%20b"
    yield "percent", build(name, auth, method=b"GET", path=b"/100%25"), "GET /100%25"
    yield "query", build(name, auth, method=b"GET", path=b"/n?a=1&&b=/../x&c=%2F&a=2"), "GET /n?a=1&&b=/../x&c=%2F&a=2"
    yield "absolute", build(name, auth, line=b"GET http://127.0.0.1/c/" + name + b"/notes HTTP/1.1\r\n"), "GET /notes"
    yield "host with a port", build(name, auth, method=b"GET", host=b"Host: 127.0.0.1:80\r\n"), "GET /notes"
    yield "root", build(name, auth, method=b"GET", path=b""), "GET /"
    yield "slash behind", build(name, auth, method=b"GET", path=b"/notes/"), "GET /notes/"
