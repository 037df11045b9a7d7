"""A PostgreSQL server that misbehaves on purpose. Which way is the name of the database that the
gateway asks for; those that misbehave before it can name one have a port of their own."""

import base64
import hashlib
import hmac
import socket
import struct
import threading

from raw_client import message, text

PASSWORD = "evil-password"


def auth(code, rest=b""):
    return message("R", struct.pack("!I", code) + rest)


def status(name, value):
    return message("S", text(name) + text(value))


def error(severity="ERROR", code="XX000", what="evil"):
    fields = b"".join(kind + text(value) for kind, value in
                      ((b"S", severity), (b"V", severity), (b"C", code), (b"M", what)))
    return message("E", fields + b"\0")


def notice(what):
    return message("N", b"SWARNING\0VWARNING\0C01000\0M" + text(what) + b"\0")


def description(*names):
    return message("T", struct.pack("!H", len(names)) + b"".join(
        text(name) + struct.pack("!IHIHIH", 0, 0, 25, 0xffff, 0xffffffff, 0) for name in names))


def row(*values):
    return message("D", struct.pack("!H", len(values)) + b"".join(
        struct.pack("!I", len(value)) + value for value in values))


def claims(kind, length, body=b""):
    """A message whose length is what it says, not what it is."""
    return kind.encode() + struct.pack("!I", length) + body


TAG = message("C", text("SELECT 1"))
READY = message("Z", b"I")
KEY = message("K", struct.pack("!II", 7, 7))
PARAMETERS = status("client_encoding", "UTF8") + status("standard_conforming_strings", "on") + \
    status("server_version", "15.8")
GREETING = PARAMETERS + KEY + READY
ONE = description("a") + row(b"1")
COPY_OUT = message("H", b"\0\0\1\0\0")
COPY_IN = message("G", b"\0\0\1\0\0")


class Silence(Exception):
    """Say nothing more, but stay."""


class Peer:
    def __init__(self, connection):
        self.connection = connection

    def send(self, *parts):
        self.connection.sendall(b"".join(parts))

    def exactly(self, size):
        data = b""
        while len(data) < size:
            received = self.connection.recv(size - len(data))
            if not received:
                raise ConnectionError
            data += received
        return data

    def startup(self):
        size, = struct.unpack("!I", self.exactly(4))
        return self.exactly(size - 4)[4:]

    def read(self):
        kind = self.exactly(1).decode()
        size, = struct.unpack("!I", self.exactly(4))
        return kind, self.exactly(size - 4)

    def until(self, kind):
        while self.read()[0] != kind:
            pass

    def forever(self, data):
        """Until the gateway hangs up."""
        while True:
            self.connection.sendall(data)


LOGIN, QUERY, EXTENDED, COPY = {}, {}, {}, {}


def simply(cases, name, *parts):
    """A case that only sends: in the login instead of an answer, else in place of the answer."""
    cases[name.replace(" ", "_")] = lambda peer: peer.send(*parts)


def in_login(behaviour):
    LOGIN[behaviour.__name__] = behaviour
    return behaviour


# ---- In the login ------------------------------------------------------------------------------

for name, parts in {
    "error instead of authentication": (error("FATAL", "28000"),),
    "error that cannot be read": (message("E", b"Sno end"),),
    "error without a sqlstate": (message("E", b"SFATAL\0Mno code\0\0"),),
    "cleartext asked for": (auth(3),),
    "md5 asked for": (auth(5, b"salt"),),
    "gss asked for": (auth(7),),
    "authentication that does not exist": (auth(99),),
    "authentication without a code": (message("R", b"\0\0"),),
    "authentication ok with a body": (auth(0, b"x"),),
    "authentication of 1 GB": (claims("R", 1 << 30),),
    "authentication of length 0": (claims("R", 0),),
    "authentication of length 3": (claims("R", 3),),
    "authentication of length -1": (claims("R", 0xffffffff),),
    "no mechanisms": (auth(10, b"\0"),),
    "mechanisms without an end": (auth(10, b"SCRAM-SHA-256"),),
    "ten thousand mechanisms": (auth(10, b"X\0" * 10000 + b"\0"),),
    "unknown mechanism": (auth(10, b"SCRAM-MD5\0\0"),),
    "plus without TLS only": (auth(10, b"SCRAM-SHA-256-PLUS\0\0"),),
    "scram goes on before it began": (auth(11, b"r=x,s=eA==,i=4096"),),
    "scram ends before it began": (auth(12, b"v=eA=="),),
    "ready before authentication": (READY,),
    "rows before authentication": (ONE,),
    "an http server": (b"HTTP/1.1 400 Bad Request\r\n\r\n",),
    "protocol version of nonsense": (message("v", struct.pack("!II", 0xffffffff, 0xffffffff)),),
    "key twice": (auth(0), PARAMETERS, KEY, KEY, READY),
    "key of 3 bytes": (auth(0), PARAMETERS, message("K", b"\0\0\0"), READY),
    "key of 4 kilobytes": (auth(0), PARAMETERS, message("K", b"\0" * 4096), READY),
    "parameter without a value": (auth(0), message("S", b"name\0"), READY),
    "parameter of 60 kilobytes": (auth(0), status("server_version", "9" * 60000), GREETING),
    "ready with status X": (auth(0), PARAMETERS, KEY, message("Z", b"X")),
    "ready in a transaction": (auth(0), PARAMETERS, KEY, message("Z", b"T")),
    "ready without a status": (auth(0), PARAMETERS, KEY, message("Z")),
    "latin1": (auth(0), status("client_encoding", "LATIN1"), READY),
    "strings not conforming": (auth(0), status("standard_conforming_strings", "off"), READY),
    "query answered before it was asked": (auth(0), PARAMETERS, KEY, ONE, TAG, READY),
    "authentication closes in the header": (b"R\0\0",),
    "authentication closes in the body": (claims("R", 8, b"\0"),),
    "greeting closes in the middle": (auth(0), PARAMETERS, KEY[:6]),
}.items():
    simply(LOGIN, name, *parts)


@in_login
def parameters_for_ever(peer):
    peer.send(auth(0))
    peer.forever(status("some.name", "value") * 100)


@in_login
def notices_for_ever_at_login(peer):
    peer.send(auth(0))
    peer.forever(notice("evil") * 100)


@in_login
def keys_for_ever(peer):
    peer.send(auth(0))
    peer.forever(KEY * 100)


@in_login
def silence_after_startup(peer):
    raise Silence


@in_login
def silence_after_authentication(peer):
    peer.send(auth(0), PARAMETERS)
    raise Silence


@in_login
def silence_in_a_message(peer):
    peer.send(auth(0), PARAMETERS[:9])
    raise Silence


@in_login
def one_byte_a_second(peer):
    for byte in auth(0) + GREETING:
        peer.send(bytes([byte]))
        threading.Event().wait(1)


def scram(peer, salt=b"salt", iterations=b"4096", own_nonce=b"theirs", keep=True, first=None,
          last=None, then=None):
    """The server's side of SCRAM, wrong where it is told to be."""
    peer.send(auth(10, b"SCRAM-SHA-256\0\0"))
    body = peer.read()[1]
    bare = body.split(b"\0", 1)[1][4:].split(b",", 2)[2]
    nonce = bare.split(b"r=")[1]
    challenge = first or b"r=%s%s,s=%s,i=%s" % (nonce if keep else b"x" * len(nonce), own_nonce,
                                                base64.b64encode(salt), iterations)
    peer.send(auth(11, challenge))
    final = peer.read()[1]
    proofless = final[:final.rindex(b",p=")]
    salted = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), salt, 4096)
    key = hmac.digest(salted, b"Server Key", "sha256")
    signature = hmac.digest(key, b",".join((bare, challenge, proofless)), "sha256")
    peer.send(auth(12, last or b"v=" + base64.b64encode(signature)))
    if then is not None:
        peer.send(*then)


for name, wrong in {
    "scram with another nonce": {"keep": False},
    "scram with no nonce of its own": {"own_nonce": b""},
    "scram with 100 million iterations": {"iterations": b"100000000"},
    "scram with 0 iterations": {"iterations": b"0"},
    "scram with -1 iterations": {"iterations": b"-1"},
    "scram with iterations that wrap": {"iterations": b"4294967297"},
    "scram with a nonce of 60 kilobytes": {"own_nonce": b"n" * 60000},
    "scram with no salt": {"salt": b""},
    "scram with garbage": {"first": b"garbage"},
    "scram with an extension it demands": {"first": b"m=x,r=a,s=eA==,i=4096"},
    "scram with a wrong signature": {"last": b"v=" + base64.b64encode(b"0" * 32)},
    "scram with an empty signature": {"last": b"v="},
    "scram with an error as signature": {"last": b"e=other-error"},
    "scram twice": {"then": (auth(10, b"SCRAM-SHA-256\0\0"),)},
    "cleartext after scram": {"then": (auth(3),)},
    "md5 after scram": {"then": (auth(5, b"salt"),)},
}.items():
    LOGIN[name.replace(" ", "_")] = lambda peer, wrong=wrong: scram(peer, **wrong)


@in_login
def ok_in_the_middle_of_scram(peer):
    peer.send(auth(10, b"SCRAM-SHA-256\0\0"))
    peer.read()
    peer.send(auth(0), GREETING)


@in_login
def silence_in_the_middle_of_scram(peer):
    peer.send(auth(10, b"SCRAM-SHA-256\0\0"))
    raise Silence


# ---- In place of the answer to `select 1` ------------------------------------------------------

for name, parts in {
    "row before its description": (row(b"1"), TAG, READY),
    "row with too many columns": (description("a"), row(b"1", b"2"), TAG, READY),
    "row with too few columns": (description("a", "b"), row(b"1"), TAG, READY),
    "row whose field is longer than it": (
        description("a"), message("D", struct.pack("!HI", 1, 100) + b"x"), TAG, READY),
    "row with bytes behind its fields": (
        description("a"), message("D", struct.pack("!HI", 1, 1) + b"1extra"), TAG, READY),
    "row with a negative field": (
        description("a"), message("D", struct.pack("!Hi", 1, -2)), TAG, READY),
    "row without a count": (description("a"), message("D"), TAG, READY),
    "row of 2 GB": (description("a"), claims("D", 0x7fffffff, b"\0\1")),
    "row of length 0": (description("a"), claims("D", 0)),
    "row of length 3": (description("a"), claims("D", 3)),
    "row of length -1": (description("a"), claims("D", 0xffffffff)),
    "long row with wrong fields": (
        description("a"), message("D", struct.pack("!HI", 1, 5) + b"x" * 300_000), TAG, READY),
    "long row with too many columns": (
        description("a"), row(b"x" * 300_000, b"y" * 300_000), TAG, READY),
    "description twice": (description("a"), ONE, TAG, READY),
    "description with more names than it has": (
        message("T", struct.pack("!H", 1000) + b"a\0" + b"\0" * 18), TAG, READY),
    "description without a zero": (message("T", struct.pack("!H", 1) + b"a" * 30), TAG, READY),
    "description of 512 MB": (claims("T", 512 << 20),),
    "complete twice": (ONE, TAG, TAG, READY),
    "complete without a zero": (ONE, message("C", b"SELECT 1"), READY),
    "complete and more": (ONE, message("C", b"SELECT 1\0SELECT 2\0"), READY),
    "ready before complete": (ONE, READY),
    "ready at once": (READY,),
    "ready twice": (ONE, TAG, READY, READY),
    "ready with status A": (ONE, TAG, message("Z", b"A")),
    "ready with two statuses": (ONE, TAG, message("Z", b"II")),
    "rows after complete": (ONE, TAG, row(b"2"), READY),
    "rows after an error": (error(), row(b"1"), READY),
    "error twice": (error(), error(), READY),
    "error without an end": (message("E", b"SERROR\0Mhalf"), READY),
    "error with 1000 fields": (message("E", b"Mx\0" * 1000 + b"\0"), READY),
    "authentication again": (auth(3),),
    "key in the session": (KEY,),
    "copy both": (message("W", b"\0\0\0"),),
    "copy in that nobody asked for": (COPY_IN,),
    "copy out that nobody asked for": (COPY_OUT, message("d", b"1\n"), message("c"), TAG, READY),
    "copy data that nobody asked for": (message("d", b"1\n"), TAG, READY),
    "parse complete": (message("1"), TAG, READY),
    "function result": (message("V", b"\0\0\0\0"), READY),
    "type that does not exist": (message("?", b"what"),),
    "type 0": (b"\0" * 64,),
    "status without a zero": (message("S", b"TimeZone\0UTC"), ONE, TAG, READY),
    "latin1 in the session": (status("client_encoding", "LATIN1"), ONE, TAG, READY),
    "strings not conforming in the session": (
        status("standard_conforming_strings", "off"), ONE, TAG, READY),
    "notification without a zero": (message("A", b"\0\0\0\1channel"), ONE, TAG, READY),
    "notice without an end": (message("N", b"SWARNING"), ONE, TAG, READY),
    "closes at once": (),
    "closes in a header": (b"T\0",),
    "closes in a description": (description("a")[:-3],),
    "closes in a row": (description("a"), row(b"12345")[:-2]),
    "closes in a long row": (description("a"), row(b"x" * 300_000)[:-2]),
    "closes in the tag": (ONE, TAG[:-2]),
    "closes in ready": (ONE, TAG, READY[:-1]),
}.items():
    simply(QUERY, name, *parts)


# ---- In place of the answers to Parse, Describe S, Bind, Execute, Sync -------------------------

PARSED, BOUND = message("1"), message("2")
TYPES = message("t", b"\0\0")

for name, parts in {
    "parse complete with a body": (message("1", b"x"),),
    "bind complete first": (BOUND, PARSED, TYPES, description("a"), row(b"1"), TAG, READY),
    "parse complete twice": (PARSED, PARSED),
    "description before the parameters": (PARSED, description("a"), TYPES),
    "parameters twice": (PARSED, TYPES, TYPES),
    "parameters of a wrong length": (PARSED, message("t", struct.pack("!HI", 9, 25))),
    "no data with a body": (PARSED, TYPES, message("n", b"x")),
    "description while a portal runs": (
        PARSED, TYPES, description("a"), BOUND, description("a"), row(b"1"), TAG, READY),
    "portal rows of two widths": (
        PARSED, TYPES, description("a"), BOUND, row(b"1"), row(b"1", b"2"), TAG, READY),
    "portal complete twice": (PARSED, TYPES, description("a"), BOUND, row(b"1"), TAG, TAG, READY),
    "suspended with a body": (PARSED, TYPES, description("a"), BOUND, message("s", b"x"), READY),
    "ready before bind": (PARSED, TYPES, description("a"), READY),
    "close complete unasked": (PARSED, TYPES, description("a"), message("3"), READY),
    "answers after the error": (error(), PARSED, READY),
    "error twice at sync": (PARSED, TYPES, description("a"), BOUND, row(b"1"), TAG, error(),
                            error(), READY),
}.items():
    simply(EXTENDED, name, *parts)

# ---- In place of the answer to `copy t to stdout` ----------------------------------------------

for name, parts in {
    "copy data before copy out": (message("d", b"1\n"), TAG, READY),
    "copy done before copy out": (message("c"), TAG, READY),
    "copy out twice": (COPY_OUT, COPY_OUT, TAG, READY),
    "copy out with a wrong count": (message("H", b"\0\0\7\0\0"), TAG, READY),
    "copy out of format 9": (message("H", b"\x09\0\0"), TAG, READY),
    "copy that is not done": (COPY_OUT, message("d", b"1\n"), TAG, READY),
    "copy data after it is done": (COPY_OUT, message("c"), message("d", b"1\n"), TAG, READY),
    "copy in instead of out": (COPY_IN,),
    "rows in a copy": (COPY_OUT, row(b"1"), TAG, READY),
    "copy data of 2 GB": (COPY_OUT, claims("d", 0x7fffffff, b"x")),
}.items():
    simply(COPY, name, *parts)


# ---- The server --------------------------------------------------------------------------------

class EvilServer:
    """Serves every case on one port, and honest sessions as database `good`. `first` handles a
    connection before its startup packet (a TLS request)."""

    def __init__(self, first=None):
        self.first = first
        self.extra = {}  # cases of a test's own: called after the greeting
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.open = set()
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.listener.close()
        for connection in list(self.open):
            connection.close()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.open.add(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        peer = Peer(connection)
        try:
            if self.first:
                self.first(peer)
                return
            startup = peer.startup()
            if len(startup) in (4, 8):
                return  # a CancelRequest, which ends like this
            fields = startup.split(b"\0")
            database = fields[fields.index(b"database") + 1].decode()
            if database in LOGIN:
                LOGIN[database](peer)
                return
            peer.send(auth(0), GREETING)
            if database in self.extra:
                self.extra[database](peer)
            elif database in QUERY or database in COPY:
                peer.until("Q")
                (QUERY.get(database) or COPY[database])(peer)
            elif database in EXTENDED:
                peer.until("S")
                EXTENDED[database](peer)
            else:
                while True:
                    peer.until("Q")
                    peer.send(ONE, TAG, READY)
            # What is not closed must be ended by the gateway, unless the case was to close.
            if "closes" not in database:
                peer.until("X")
        except Silence:
            try:
                connection.recv(1)
            except OSError:
                pass
        except (OSError, ConnectionError):
            pass
        finally:
            self.open.discard(connection)
            connection.close()
