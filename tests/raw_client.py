"""A PostgreSQL client that says exactly what a test tells it to, and nothing more."""

import socket
import ssl
import struct


def message(kind, body=b""):
    return kind.encode() + struct.pack("!I", len(body) + 4) + body


def text(value):
    return (value.encode() if isinstance(value, str) else value) + b"\0"


def query(sql):
    return message("Q", text(sql))


def parse(name, sql):
    return message("P", text(name) + text(sql) + b"\0\0")


def bind(portal, statement, *values):
    body = text(portal) + text(statement) + struct.pack("!HH", 0, len(values))
    for value in values:
        body += struct.pack("!i", len(value)) + value
    return message("B", body + b"\0\0")


def execute(portal="", rows=0):
    return message("E", text(portal) + struct.pack("!I", rows))


def close(kind, name):
    return message("C", kind.encode() + text(name))


def copy_data(data):
    return message("d", data)


SYNC, FLUSH, COPY_DONE, TERMINATE = (message(kind) for kind in "SHcX")


class RawClient:
    def __init__(self, demo, user, log_in=True, database="shop"):
        self.demo, self.user = demo, user
        self.socket = socket.create_connection(
            ("127.0.0.1", demo.ready["postgres"]["port"]), timeout=20)
        self.socket.sendall(struct.pack("!II", 8, 80877103))
        assert self.socket.recv(1) == b"S"
        context = ssl.create_default_context(cafile=demo.ready["ca_file"])
        self.socket = context.wrap_socket(self.socket, server_hostname="127.0.0.1")
        self.buffer = b""
        self.key = None
        parameters = text("user") + text(f"{user}#jwt") + text("database") + text(database) + b"\0"
        self.send(struct.pack("!II", len(parameters) + 8, 3 << 16) + parameters)
        if log_in:
            assert self.read()[0] == "R"
            self.send_password()
            self.until()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send_password(self):
        self.send(message("p", text(self.demo.ready["users"][self.user]["token"])))

    def say_goodbye(self):
        self.send(TERMINATE)
        self.socket.close()

    def cancel(self):
        """A CancelRequest for this session, on a connection of its own."""
        with socket.create_connection(("127.0.0.1", self.demo.ready["postgres"]["port"])) as other:
            other.sendall(struct.pack("!II", 12 + len(self.key) - 4, 80877102) + self.key)
            other.recv(1)

    def send(self, *parts):
        self.socket.sendall(b"".join(parts))

    def read(self):
        """The next message, as (type, body)."""
        while len(self.buffer) < 5 or len(self.buffer) <= struct.unpack("!I", self.buffer[1:5])[0]:
            received = self.socket.recv(65536)
            if not received:
                raise EOFError
            self.buffer += received
        size = struct.unpack("!I", self.buffer[1:5])[0] + 1
        kind, body = chr(self.buffer[0]), self.buffer[5:size]
        self.buffer = self.buffer[size:]
        if kind == "K":
            self.key = body
        return kind, body

    def until(self, kind="Z", count=1):
        """All messages up to the count-th of a kind: errors as E:SQLSTATE, rows as D:first field,
        tags as C:tag, ReadyForQuery as Z:status, others by their type."""
        seen = []
        while count:
            got, body = self.read()
            if got == "E":
                fields = {chr(f[0]): f[1:].decode() for f in body.split(b"\0") if f}
                seen.append("E:" + fields["C"])
            elif got == "D":
                size = struct.unpack("!i", body[2:6])[0]
                seen.append("D:" + body[6:6 + size].decode())
            elif got in "CZ":
                seen.append(f"{got}:{body.rstrip(chr(0).encode()).decode()}")
            else:
                seen.append(got)
            count -= got == kind
        return seen

    def ask(self, sql):
        self.send(query(sql))
        return self.until()
