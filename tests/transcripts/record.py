#!/usr/bin/env python3
"""Records what real clients and a real server say to each other, without TLS, into this folder:
NAME.client and NAME.server, each the first 6 KB of the connection that said most, cut after a whole message.

    tests/interop/prepare build/interop && tests/transcripts/record.py

Needs no gateway: the files are what `postgres_test --gtest_filter='Transcript*'` decodes.
"""

import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/interop")]

from clients import COMMANDS, CLIENTS  # noqa: E402
from serving import Target, free_port  # noqa: E402

BYTES = 6_000


class Tap:
    """Forwards connections, and keeps what they said."""

    def __init__(self, target):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.said = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(("127.0.0.1", self.target))
            said = [bytearray(), bytearray()]
            self.said.append(said)
            for i, (source, sink) in enumerate([(client, server), (server, client)]):
                threading.Thread(target=self.pump, args=(source, sink, said[i]), daemon=True).start()

    @staticmethod
    def pump(source, sink, said):
        try:
            while data := source.recv(65536):
                said += data
                sink.sendall(data)
        except OSError:
            pass
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def whole(said, opening):
    """The beginning, up to the end of a message."""
    at = struct.unpack("!I", said[:4])[0] if opening else 0
    while at + 5 <= len(said):
        size = 1 + struct.unpack("!I", said[at + 1:at + 5])[0]
        if at + size > BYTES or at + size > len(said):
            break
        at += size
    return bytes(said[:at])


def record(name, target, run):
    tap = Tap(target.port)
    run(tap.port)
    client, server = max(((whole(client, True), whole(server, False)) for client, server in tap.said
                          if client), key=lambda said: len(said[0]) + len(said[1]))
    for side, data in (("client", client), ("server", server)):
        (HERE / f"{name}.{side}").write_bytes(data)
        print(f"{name}.{side}: {len(data)} bytes")


def psql(port):
    subprocess.run(
        ["psql", "-X", "-q", f"host=127.0.0.1 port={port} user=postgres dbname=postgres sslmode=disable "
         "gssencmode=disable", "-c", "create table t (id int primary key, name text, at date)",
         "-c", "\\copy t from pstdin", "-c", "\\d t", "-c", "select * from t", "-c", "select 1/0",
         "-c", "begin", "-c", "\\copy t to pstdout", "-c", "rollback", "-c", "listen a",
         "-c", "notify a, 'hello'", "-c", "select 1; select 2", "-c", "", "-c", "\\gdesc",
         "-c", "drop table t"],
        input="1\tone\t2026-01-01\n2\t\\N\t\\N\n", text=True, check=False, capture_output=True)


def pgbench(mode):
    def run(port):
        subprocess.run(["pgbench", "-n", "-M", mode, "-t", "4", "-f", HERE / "pgbench.sql",
                        f"host=127.0.0.1 port={port} user=postgres dbname=postgres sslmode=disable "
                        "gssencmode=disable"], check=True, capture_output=True)
    return run


def published(name):
    def run(port):
        where = {"host": "127.0.0.1", "port": port, "user": "postgres", "password": "",
                 "database": "postgres", "ca": ""}
        command = COMMANDS[name]
        arguments = (list(map(str, where.values())) if command[0] == "java" else [json.dumps(where)])
        subprocess.run([*map(str, command), *arguments], check=True, capture_output=True,
                       env={**os.environ, "MODULES": str(CLIENTS / "node")})
    return run


def main():
    target = Target()
    try:
        record("psql", target, psql)
        for mode in ("simple", "extended", "prepared"):
            record(f"pgbench-{mode}", target, pgbench(mode))
        for name in COMMANDS:
            record(name, target, published(name))
    finally:
        target.remove()


main()
