"""A client that misbehaves: whatever it opens with or says, it gets the expected error or a closed
session, the process lives, a session beside it notices nothing, memory is bounded and the ledger
verifies."""

import os
import pathlib
import select
import socket
import ssl
import struct
import time

import pytest
from raw_client import (COPY_DONE, FLUSH, SYNC, TERMINATE, RawClient, bind, close, copy_data,
                        execute, message, parse, query, text)

SSL_REQUEST, GSSENC_REQUEST, CANCEL = 80877103, 80877104, 80877102
V3 = 3 << 16
GROWTH_KB_MAX = 64 << 10


def resident_kb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    from conftest import Demo
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "policies").mkdir()
    (folder / "policies/all.cedar").write_text('@id("all") permit (principal, action, resource);')
    # What the sanitizer keeps of freed memory would hide what the gateway keeps.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASAN_OPTIONS", os.environ.get("ASAN_OPTIONS", "") +
                     ":quarantine_size_mb=8:thread_local_quarantine_size_kb=64")
        demo = Demo(folder, "--policies", str(folder / "policies"))
    yield demo
    demo.stop()


@pytest.fixture(scope="module")
def neighbour(gateway):
    with RawClient(gateway, "bob") as client:
        yield client


@pytest.fixture(scope="module")
def memory_before(gateway, neighbour):
    for _ in range(3):
        with RawClient(gateway, "alice") as client:
            client.ask("select 1")
    return resident_kb(gateway.process.pid)


@pytest.fixture(autouse=True)
def nobody_else_notices(gateway, neighbour, memory_before):
    yield
    started = time.monotonic()
    assert neighbour.ask("select 7") == ["T", "D:7", "C:SELECT 1", "Z:I"]
    assert time.monotonic() - started < 5
    assert gateway.process.poll() is None


# ---- Openings ----------------------------------------------------------------------------------

def packet(code, body=b"", length=None):
    return struct.pack("!II", 8 + len(body) if length is None else length, code) + body


def startup(*pairs, version=V3, end=b"\0"):
    return packet(version, b"".join(text(name) + text(value) for name, value in pairs) + end)


ALICE = ("user", "alice#jwt"), ("database", "shop")
SSL, GSSENC = packet(SSL_REQUEST), packet(GSSENC_REQUEST)
OTHER_PROTOCOLS = {
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "http2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "ssh": b"SSH-2.0-OpenSSH_9.2p1\r\n",
    "mysql": b"\x20\0\0\x01\x85\xa6\xff\x01" + b"\0\0\0\x01\x21" + b"\0" * 23 + b"root\0\0",
    "redis": b"*1\r\n$4\r\nPING\r\n",
    "smtp": b"EHLO localhost\r\n",
    "tds": b"\x12\x01\0\x2f\0\0\x01\0" + b"\0" * 39,
    "socks5": b"\x05\x01\0" + b"\0" * 16,
    "rdp": b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0",
    "zeros": b"\0" * 64,
    "ones": b"\xff" * 64,
}

# What is sent on a plain connection, and all that comes back before it is closed.
OPENINGS = {f"protocol_{name}": (sent, "E:08P01") for name, sent in OTHER_PROTOCOLS.items()} | {
    f"length_{length}": (packet(V3, b"user\0alice\0\0", length % 2**32), "E:08P01")
    for length in (0, 1, 3, 4, 7, -1, -2**31, 2**31 - 1, 10_001, 1 << 20)
} | {
    "nothing": (b"", ""),
    "half_a_length": (b"\0\0\0", ""),
    "half_a_packet": (startup(*ALICE)[:-5], ""),
    "ssl_with_a_body": (packet(SSL_REQUEST, b"x"), "E:08P01"),
    "ssl_and_plaintext": (SSL + startup(*ALICE), "E:08P01"),
    "ssl_and_one_byte": (SSL + b"x", "E:08P01"),
    "gssenc_and_plaintext": (GSSENC + startup(*ALICE), "E:08P01"),
    "gssenc_with_a_body": (packet(GSSENC_REQUEST, b"x" * 8), "E:08P01"),
    "ssl_then_no_tls": ([SSL, startup(*ALICE)], "S"),
    "gssenc_again_and_again": ([GSSENC, GSSENC, GSSENC], "NNNE:08P01"),
    "cancel_unknown": (packet(CANCEL, struct.pack("!II", 1234, 5678)), ""),
    "cancel_unknown_3_2": (packet(CANCEL, struct.pack("!I", 1234) + b"k" * 32), ""),
    "cancel_key_of_256": (packet(CANCEL, struct.pack("!I", 1234) + b"k" * 256), ""),
    "cancel_without_a_body": (packet(CANCEL), "E:08P01"),
    "cancel_without_a_key": (packet(CANCEL, b"\0\0\0\1"), "E:08P01"),
    "cancel_key_of_257": (packet(CANCEL, struct.pack("!I", 1234) + b"k" * 257), "E:08P01"),
    "cancel_and_more": (packet(CANCEL, struct.pack("!II", 1, 2)) + b"x", "E:08P01"),
    "protocol_0": (startup(*ALICE, version=0), "E:08P01"),
    "protocol_1_0": (startup(*ALICE, version=1 << 16), "E:08P01"),
    "protocol_2_0": (startup(*ALICE, version=2 << 16), "E:08P01"),
    "protocol_4_0": (startup(*ALICE, version=4 << 16), "E:08P01"),
    "unknown_request_code": (packet(80877199), "E:08P01"),
    "no_parameters": (packet(V3), "E:08P01"),
    "unterminated_list": (startup(*ALICE, end=b""), "E:08P01"),
    "unterminated_value": (packet(V3, b"user\0alice"), "E:08P01"),
    "name_without_a_value": (packet(V3, b"user\0"), "E:08P01"),
    "bytes_behind_the_list": (startup(*ALICE, end=b"\0x\0y\0"), "E:08P01"),
    "user_with_a_nul": (packet(V3, b"user\0ali\0ce\0\0"), "E:08P01"),
    "user_of_10_kb": (startup(("user", "u" * 10_240)), "E:08P01"),
    "user_twice": (startup(*ALICE, ("user", "dana#jwt")), "E:08P01"),
    "65_parameters": (startup(*[(f"_pq_.{i}", "x") for i in range(65)]), "E:08P01"),
    "not_utf8": (startup(("user", b"al\xffice")), "E:08P01"),
    "no_user": (startup(("database", "shop")), "E:22023"),
    "empty_user": (startup(("user", ""), ("database", "shop")), "E:22023"),
    "replication_database": (startup(*ALICE, ("replication", "database")), "E:22023"),
    "replication_true": (startup(*ALICE, ("replication", "true")), "E:22023"),
    "replication_1": (startup(*ALICE, ("replication", "1")), "E:22023"),
    "options_huge": (startup(*ALICE, ("options", "-c a=b " * 1000)), "E:22023"),
    "options_flag": (startup(*ALICE, ("options", "-f /etc/passwd")), "E:22023"),
    "options_backslash": (startup(*ALICE, ("options", "-c a=b\\")), "E:22023"),
    "options_without_a_value": (startup(*ALICE, ("options", "-c")), "E:22023"),
    "options_role": (startup(*ALICE, ("options", "-c role=postgres")), "E:22023"),
    "role": (startup(*ALICE, ("role", "postgres")), "E:22023"),
    "session_authorization": (startup(*ALICE, ("session_authorization", "x")), "E:22023"),
    "encoding": (startup(*ALICE, ("client_encoding", "SJIS")), "E:22023"),
    "token_without_tls": (startup(*ALICE), "E:28000"),
    "broken_client_hello": (b"\x16\x03\x01\xff\xff" + b"x" * 4000, "\x15"),
    "direct_tls_half": (b"\x16\x03", ""),
}


def port_of(gateway):
    return gateway.ready["postgres"]["port"]


def plain(gateway):
    return socket.create_connection(("127.0.0.1", port_of(gateway)), timeout=20)


def code_of(body):
    return next(field[1:].decode() for field in body.split(b"\0") if field[:1] == b"C")


def answered(connection):
    """Everything up to the close: answers of one letter as they are, errors as E:SQLSTATE."""
    received = b""
    try:
        while got := connection.recv(65536):
            received += got
    except (ConnectionError, ssl.SSLError):
        pass
    out = ""
    while received[:1] in (b"N", b"S"):
        out, received = out + chr(received[0]), received[1:]
    while len(received) >= 5:
        kind, size = chr(received[0]), struct.unpack("!I", received[1:5])[0] + 1
        out += f"E:{code_of(received[5:size])}" if kind == "E" else kind
        received = received[size:]
    return out


@pytest.mark.parametrize("case", OPENINGS)
def test_opening(gateway, case):
    sent, expected = OPENINGS[case]
    started = time.monotonic()
    with plain(gateway) as connection:
        parts = sent if isinstance(sent, list) else [sent]
        got = ""
        for part in parts[:-1]:
            connection.sendall(part)
            got += connection.recv(1).decode()
        connection.sendall(parts[-1])
        if expected in ("", "S", "\x15"):
            connection.shutdown(socket.SHUT_WR)  # it may well wait for more
        got += answered(connection)
    # What follows S is TLS's own alert.
    assert got[:1] == "S" if expected == "S" else got == expected
    assert "E:" not in got or "E:" in expected
    assert time.monotonic() - started < 8


@pytest.mark.parametrize("protocols", [[], ["h2"], ["http/1.1", "postgres"]])
def test_direct_tls_needs_its_name(gateway, protocols):
    context = ssl.create_default_context(cafile=gateway.ready["ca_file"])
    if protocols:
        context.set_alpn_protocols(protocols)
    with plain(gateway) as connection:
        try:
            with context.wrap_socket(connection, server_hostname="127.0.0.1") as secured:
                secured.sendall(startup(*ALICE))
                assert answered(secured) in ("", "E:08P01")
        except (ssl.SSLError, ConnectionError):
            pass  # refused in the handshake


class Opened(RawClient):
    """A client over TLS, before its startup message."""

    def __init__(self, gateway, first=SSL):
        self.socket = plain(gateway)
        self.buffer, self.key = b"", None
        if first == GSSENC:
            self.socket.sendall(GSSENC)
            assert self.socket.recv(1) == b"N"
        self.socket.sendall(SSL)
        assert self.socket.recv(1) == b"S"
        context = ssl.create_default_context(cafile=gateway.ready["ca_file"])
        self.socket = context.wrap_socket(self.socket, server_hostname="127.0.0.1")


def log_in(gateway, client):
    client.send(message("p", text(gateway.ready["users"]["alice"]["token"])))
    return client.until()


def test_gssenc_then_ssl_is_a_good_opening(gateway):
    with Opened(gateway, GSSENC) as client:
        client.send(startup(*ALICE))
        assert client.read()[0] == "R"
        assert log_in(gateway, client)[-1] == "Z:I"


def test_ssl_inside_ssl_is_answered_no(gateway):
    with Opened(gateway) as client:
        client.send(SSL)
        assert client.socket.recv(1) == b"N"
        client.send(SSL)
        assert answered(client.socket) == "NE:08P01"


def test_one_byte_at_a_time_is_slow_but_good(gateway):
    with Opened(gateway) as client:
        for byte in startup(*ALICE):
            client.send(bytes([byte]))
        assert client.read()[0] == "R"
        assert log_in(gateway, client)[-1] == "Z:I"
        for byte in query("select 1"):
            client.send(bytes([byte]))
        assert client.until() == ["T", "D:1", "C:SELECT 1", "Z:I"]


@pytest.mark.parametrize("version, options, answer", [
    (V3 + 99, [], (V3 + 2, 0)),
    (V3 + 1, [], (V3, 0)),
    (V3, [("_pq_.command_progress", "on"), ("_pq_.x", "")], (V3, 2)),
])
def test_what_is_newer_is_negotiated(gateway, version, options, answer):
    with Opened(gateway) as client:
        client.send(startup(*ALICE, *options, version=version))
        kind, body = client.read()
        assert kind == "v" and struct.unpack("!II", body[:8]) == answer
        assert client.read()[0] == "R"
        assert log_in(gateway, client)[-1] == "Z:I"


@pytest.mark.parametrize("connection", ["nowhere", "shop/nowhere", "shop/", "/shop", "x" * 5000])
def test_an_unknown_database_is_refused_after_the_login(gateway, connection):
    with Opened(gateway) as client:
        client.send(startup(("user", "alice#jwt"), ("database", connection)))
        assert client.read()[0] == "R"
        client.send(message("p", text(gateway.ready["users"]["alice"]["token"])))
        expected = "Z:I" if connection == "shop/" else "E:3D000"
        assert client.until(expected[0])[-1] == expected


def test_a_hundred_slow_openers_keep_nobody_out(gateway):
    openers = [plain(gateway) for _ in range(100)]
    for opener in openers:
        opener.sendall(startup(*ALICE)[:9])
    started = time.monotonic()
    with RawClient(gateway, "alice") as client:
        assert client.ask("select 1")[-1] == "Z:I"
    assert time.monotonic() - started < 10
    for opener in openers:
        opener.close()


def test_a_storm_of_cancels_hits_nobody(gateway, neighbour):
    process, key = neighbour.key[:4], neighbour.key[4:]
    wrong = [bytes([key[0] ^ 1]) + key[1:], key[:-1] + b"x", key + b"\0", b"\0" * 32,
             bytes(reversed(key)) if bytes(reversed(key)) != key else b"abcd"]
    neighbour.send(query("select pg_sleep(1.5)"))
    for n in range(300):
        with plain(gateway) as connection:
            connection.sendall(packet(CANCEL, process + wrong[n % len(wrong)]))
    assert neighbour.until()[-2:] == ["C:SELECT 1", "Z:I"]
    # The right key is still heard.
    neighbour.send(query("select pg_sleep(20)"))
    time.sleep(0.5)
    with plain(gateway) as connection:
        connection.sendall(packet(CANCEL, process + key))
        assert answered(connection) == ""
    assert neighbour.until() == ["T", "E:57014", "Z:I"]


# ---- The login ---------------------------------------------------------------------------------

def sasl(mechanism, first, length=None):
    size = len(first) if length is None else length % 2**32
    return message("p", text(mechanism) + struct.pack("!I", size) + first)


HELLO = b"n,,n=,r=clientnonce"
PASSWORDS = {
    "query_for_a_password": ("alice#jwt", query("select 1"), "E:08P01"),
    "sync_for_a_password": ("alice#jwt", SYNC, "E:08P01"),
    "terminate_for_a_password": ("alice#jwt", TERMINATE, "E:08P01"),
    "second_startup": ("alice#jwt", startup(*ALICE), "E:08P01"),
    "ssl_for_a_password": ("alice#jwt", SSL, "E:08P01"),
    "length_0": ("alice#jwt", b"p" + struct.pack("!I", 0), "E:08P01"),
    "length_2_31": ("alice#jwt", b"p" + struct.pack("!I", 2**31), "E:08P01"),
    "of_21_kb": ("alice#jwt", message("p", text("x" * 21_000)), "E:08P01"),
    "empty": ("alice#jwt", message("p"), "E:08P01"),
    "unterminated": ("alice#jwt", message("p", b"token"), "E:08P01"),
    "two_strings": ("alice#jwt", message("p", b"token\0more\0"), "E:08P01"),
    "no_token": ("alice#jwt", message("p", b"\0"), "E:28000"),
    "not_a_token": ("alice#jwt", message("p", b"a.b.c\0"), "E:28000"),
    "dots": ("alice#jwt", message("p", b"." * 10_000 + b"\0"), "E:28000"),
    "sasl_for_a_token": ("alice#jwt", sasl("SCRAM-SHA-256", HELLO), "E:08P01"),
    "password_for_sasl": ("alice", message("p", b"secret\0"), "E:28P01"),
    "unknown_mechanism": ("alice", sasl("PLAIN", b"\0alice\0secret"), "E:28P01"),
    "sasl_length_minus_1": ("alice", sasl("SCRAM-SHA-256", b"", -1), "E:28P01"),
    "sasl_length_too_long": ("alice", sasl("SCRAM-SHA-256", HELLO, 5000), "E:28P01"),
    "sasl_final_first": ("alice", sasl("SCRAM-SHA-256", b"c=biws,r=x,p=eA=="), "E:28P01"),
    "sasl_garbage": ("alice", sasl("SCRAM-SHA-256", b"\xff\0" * 2000), "E:28P01"),
    "sasl_twice": ("alice", sasl("SCRAM-SHA-256", HELLO) * 2, "E:28P01"),
    "sasl_plus_without_binding": ("alice", sasl("SCRAM-SHA-256-PLUS", HELLO), "E:28P01"),
    "sasl_query_in_the_middle": ("alice", sasl("SCRAM-SHA-256", HELLO) + query("x"), "E:08P01"),
}


@pytest.mark.parametrize("case", PASSWORDS)
def test_password(gateway, case):
    user, sent, expected = PASSWORDS[case]
    with Opened(gateway) as client:
        client.send(startup(("user", user), ("database", "shop")))
        assert client.read()[0] == "R"
        client.send(sent)
        assert client.until("E")[-1] == expected
        with pytest.raises((EOFError, ConnectionError, ssl.SSLError)):
            client.read()


def test_another_users_token_is_refused(gateway):
    with Opened(gateway) as client:
        client.send(startup(("user", "dana#jwt"), ("database", "shop")))
        assert client.read()[0] == "R"
        client.send(message("p", text(gateway.ready["users"]["alice"]["token"])))
        assert client.until("E") == ["E:28000"]


# ---- Messages ----------------------------------------------------------------------------------

def head(kind, length):
    return kind.encode("latin-1") + struct.pack("!I", length % 2**32)


def bind_body(*parts):
    return message("B", b"\0\0" + b"".join(parts))


def u16(*values):
    return struct.pack(f"!{len(values)}H", *values)


ONE = parse("", "select 1")

# Ends the session, with this as its last word.
ENDS = {f"type_{ord(kind):02x}": (head(kind, 4), "08P01")
        for kind in ("\0", "!", "z", "T", "R", "Z", "v", "W", "\x7f", "\x80", "\xff")} | {
    f"{kind}_length_{length}": (head(kind, length), code)
    for kind in "QPBESd" for length, code in ((0, "08P01"), (3, "08P01"), (-1, "54000"),
                                              (2**31, "54000"))
} | {
    "sync_of_1_mb": (head("S", 1 << 20), "54000"),
    "copy_data_of_1_gb": (head("d", 1 << 30), "54000"),
    "second_startup": (startup(*ALICE), "08P01"),
    "ssl_request": (SSL, "08P01"),
    "http": (OTHER_PROTOCOLS["http"], "08P01"),
    "password": (message("p", b"secret\0"), "08P01"),
    "sasl": (sasl("SCRAM-SHA-256", HELLO), "08P01"),
    "sync_with_a_body": (message("S", b"x"), "08P01"),
    "flush_with_a_body": (message("H", b"x"), "08P01"),
    "query_empty_body": (message("Q"), "08P01"),
    "query_unterminated": (message("Q", b"select 1"), "08P01"),
    "query_two_zeros": (message("Q", b"select 1\0drop table x\0"), "08P01"),
    "parse_empty_body": (message("P"), "08P01"),
    "parse_without_types": (message("P", b"\0select 1\0"), "08P01"),
    "parse_types_missing": (message("P", b"\0select 1\0" + u16(65_535)), "08P01"),
    "parse_more_behind": (message("P", b"\0select 1\0\0\0x"), "08P01"),
    "bind_empty_body": (message("B"), "08P01"),
    "bind_format_2": (ONE + bind_body(u16(1, 2), u16(0, 0)), "08P01"),
    "bind_result_format_2": (ONE + bind_body(u16(0, 0, 1, 2)), "08P01"),
    "bind_formats_missing": (ONE + bind_body(u16(65_535)), "08P01"),
    "bind_formats_for_others": (ONE + bind_body(u16(3, 0, 0, 0, 1), b"\0\0\0\0", u16(0)), "08P01"),
    "bind_parameters_missing": (ONE + bind_body(u16(0, 65_535)), "08P01"),
    "bind_length_minus_2": (ONE + bind_body(u16(0, 1), b"\xff\xff\xff\xfe", u16(0)), "08P01"),
    "bind_length_too_long": (ONE + bind_body(u16(0, 1), b"\0\0\1\0", b"x", u16(0)), "08P01"),
    "bind_more_behind": (ONE + bind_body(u16(0, 0, 0), b"x"), "08P01"),
    "describe_kind": (message("D", b"X\0"), "08P01"),
    "describe_empty_body": (message("D"), "08P01"),
    "close_kind": (message("C", b"s\0"), "08P01"),
    "close_unterminated": (message("C", b"Sabc"), "08P01"),
    "execute_empty_body": (message("E"), "08P01"),
    "execute_short": (message("E", b"\0\0\0"), "08P01"),
    "execute_more_behind": (message("E", b"\0\0\0\0\0x"), "08P01"),
    "query_in_a_copy": (query("copy scratch from stdin") + query("select 1"), "08P01"),
}

# The session goes on; these are the errors up to its ReadyForQuery.
LIVES = {
    "sync": (SYNC, []),
    "empty_query": (query(""), []),
    "only_semicolons": (query(";" * 100_000), []),
    "function_call": (message("F", struct.pack("!IHHH", 1598, 0, 0, 1)), ["E:0A000"]),
    "function_call_garbage": (message("F", b"\xff" * 5000), ["E:0A000"]),
    "copy_data_out_of_place": (copy_data(b"x" * 100_000) + SYNC, []),
    "copy_done_out_of_place": (COPY_DONE + SYNC, []),
    "copy_fail_out_of_place": (message("f", b"why\0") + SYNC, []),
    "bind_unknown": (bind("", "nobody") + SYNC, ["E:26000"]),
    "bind_unnamed": (bind("", "") + SYNC, ["E:26000"]),
    "execute_unknown": (execute("nobody") + SYNC, ["E:34000"]),
    "describe_unknown": (message("D", b"Snobody\0") + SYNC, ["E:26000"]),
    "describe_unknown_portal": (message("D", b"Pnobody\0") + SYNC, ["E:34000"]),
    "close_unknown": (close("S", "nobody") + close("P", "nobody") + SYNC, []),
    "name_of_64": (parse("n" * 64, "select 1") + SYNC, ["E:42622"]),
    "name_of_60_kb": (message("D", b"S" + b"n" * 60_000 + b"\0") + SYNC, ["E:42622"]),
    "query_not_utf8": (query(b"select '\xff'"), ["E:22021"]),
    "parse_not_utf8": (parse("", b"select '\xff'") + SYNC, ["E:22021"]),
    "two_statements_in_parse": (parse("", "select 1; select 2") + SYNC, ["E:42601"]),
    "bind_too_many": (ONE + bind("", "", *[b""] * 65_535) + SYNC, ["E:08P01"]),
    "bind_too_few": (parse("", "select $1::int") + bind("", "") + SYNC, ["E:08P01"]),
    "bind_formats_of_no_column": (ONE + bind_body(u16(0, 0, 3, 1, 1, 1)) + SYNC, ["E:08P01"]),
    "errors_up_to_sync_are_one": ((bind("", "nobody") + execute() + FLUSH) * 500 + SYNC,
                                  ["E:26000"]),
    "rows_max_minus_1": (ONE + bind("", "") + message("E", b"\0\xff\xff\xff\xff") + SYNC, []),
}


@pytest.mark.parametrize("case", ENDS)
def test_message_that_ends_the_session(gateway, case):
    sent, expected = ENDS[case]
    with RawClient(gateway, "dana") as client:
        if "scratch" in sent.decode("latin-1"):
            client.ask("create table if not exists scratch (id int)")
        client.send(sent)
        last, fatal = "", False
        with pytest.raises((EOFError, ConnectionError, ssl.SSLError)):
            while True:
                kind, body = client.read()
                last = code_of(body) if kind == "E" else kind
                fatal = kind == "E" and b"FATAL\0" in body
    assert (last, fatal) == (expected, True)


@pytest.mark.parametrize("case", LIVES)
def test_message_that_the_session_survives(gateway, case):
    sent, expected = LIVES[case]
    with RawClient(gateway, "alice") as client:
        client.send(sent)
        seen = client.until()
        assert [one for one in seen if one[0] == "E"] == expected
        assert seen[-1] == "Z:I"
        assert client.ask("select 7") == ["T", "D:7", "C:SELECT 1", "Z:I"]


def test_65535_parameter_types(gateway):
    with RawClient(gateway, "alice") as client:
        client.send(message("P", b"\0select 1\0" + u16(65_535) + struct.pack("!I", 23) * 65_535),
                    SYNC)
        seen = client.until()
        assert seen[-1] == "Z:I"
        assert client.ask("select 7")[1] == "D:7"


@pytest.mark.parametrize("sent", [TERMINATE + b"more", message("X", b"body"),
                                  TERMINATE + query("select 1"), TERMINATE * 1000])
def test_terminate_ends_without_a_word(gateway, sent):
    with RawClient(gateway, "alice") as client:
        client.send(sent)
        with pytest.raises((EOFError, ConnectionError, ssl.SSLError)):
            client.read()


def flood(client, sent, ready):
    """Writes what fits and reads what is there; the messages up to the ready-th ReadyForQuery.
    By one thread: an SSL socket is not for two."""
    raw, received, seen, left = client.socket, b"", [], memoryview(sent)
    raw.setblocking(False)
    end = time.monotonic() + 60
    while seen.count("Z:I") < ready:
        assert time.monotonic() < end, seen[-3:]
        try:
            if left:
                left = left[raw.send(left[:16384]):]
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        try:
            while True:
                got = raw.recv(65536)
                assert got, "closed"
                received += got
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        at = 0
        while len(received) >= at + 5:
            size = struct.unpack_from("!I", received, at + 1)[0] + 1
            if len(received) < at + size:
                break
            kind, body = chr(received[at]), received[at + 5:at + size]
            seen.append({"E": lambda b: f"E:{code_of(b)}", "Z": lambda b: f"Z:{b.decode()}"}
                        .get(kind, lambda b, k=kind: k)(body))
            at += size
        received = received[at:]
        select.select([raw], [raw] if left else [], [], 1)
    assert not left and not received
    raw.settimeout(20)
    return seen


FLOODS = {
    "sync": (SYNC * 30_000, 30_000, {"Z:I"}),
    "flush": (FLUSH * 100_000 + SYNC, 1, {"Z:I"}),
    "close": (close("S", "nobody") * 20_000 + SYNC, 1, {"3", "Z:I"}),
    "copy_done": (COPY_DONE * 100_000 + SYNC, 1, {"Z:I"}),
    "execute_unknown": (execute("x") * 50_000 + SYNC, 1, {"E:34000", "Z:I"}),
    "function_call": (message("F") * 2000, 2000, {"E:0A000", "Z:I"}),
    "syntax_errors": (query("selec 1") * 2000, 2000, {"E:42601", "Z:I"}),
}


@pytest.mark.parametrize("case", FLOODS)
def test_flood(gateway, case):
    sent, ready, expected = FLOODS[case]
    before = resident_kb(gateway.process.pid)
    with RawClient(gateway, "alice") as client:
        seen = flood(client, sent, ready)
        assert set(seen) == expected
        assert client.ask("select 7")[1] == "D:7"
    assert resident_kb(gateway.process.pid) - before < GROWTH_KB_MAX


@pytest.mark.parametrize("message_, ready", [(SYNC, 1), (FLUSH, 0), (COPY_DONE, 0)])
def test_flood_behind_a_running_statement(gateway, neighbour, message_, ready):
    """Nothing is answered before the statement is, so nothing may pile up without bound."""
    count = 2_000_000 if ready else 200_000
    before = resident_kb(gateway.process.pid)
    with RawClient(gateway, "alice") as client:
        client.send(query("select pg_sleep(3)"))
        client.socket.settimeout(0.5)
        sent = 0
        try:
            while sent < count:
                client.socket.sendall(message_ * 10_000)
                sent += 10_000
        except TimeoutError:
            pass  # it is held back: what is wanted
        assert resident_kb(gateway.process.pid) - before < GROWTH_KB_MAX
        assert neighbour.ask("select 7")[1] == "D:7"
        if ready:
            assert sent < count
    assert neighbour.ask("select 7")[1] == "D:7"


# ---- Statement bombs ---------------------------------------------------------------------------

BOMBS = {
    "100000_terms": lambda: "select 1" + "+1" * 99_999,
    "10000_parentheses": lambda: "select " + "(" * 10_000 + "1" + ")" * 10_000,
    "5000_sub_queries": lambda: "select * from " + "(select * from " * 5000 + "t"
                                + "".join(f") a{n}" for n in range(5000)),
    "64_mb": lambda: "select '" + "x" * (64 << 20) + "'",
}


@pytest.mark.parametrize("case", BOMBS)
@pytest.mark.parametrize("extended", [False, True])
def test_statement_bomb(gateway, neighbour, case, extended):
    bomb = BOMBS[case]()
    before = resident_kb(gateway.process.pid)
    with RawClient(gateway, "alice") as client:
        client.socket.settimeout(60)
        client.send(*([parse("", bomb), bind("", ""), execute(), SYNC] if extended
                      else [query(bomb)]))
        assert neighbour.ask("select 7")[1] == "D:7"
        seen = client.until()
        assert seen in (["E:54000", "Z:I"], ["E:54001", "Z:I"])
        assert client.ask("select 7") == ["T", "D:7", "C:SELECT 1", "Z:I"]
        assert resident_kb(gateway.process.pid) - before < GROWTH_KB_MAX


# ---- After all of it ---------------------------------------------------------------------------

def test_after_all_of_it_memory_is_bounded_and_the_ledger_verifies(gateway, memory_before):
    assert resident_kb(gateway.process.pid) - memory_before < 2 * GROWTH_KB_MAX
    verified = gateway.sallyport("ledger", "verify", "--data", str(gateway.data))
    assert verified.returncode == 0, verified.stdout
    with RawClient(gateway, "alice") as client:
        assert client.ask("select 7")[1] == "D:7"
