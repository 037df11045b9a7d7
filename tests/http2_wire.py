"""HTTP/2 by hand, for what no well-behaved client would send: frames as they are asked for, over TLS. Field sections are
packed by python3-hpack without its checks."""

import contextlib
import socket
import ssl
import struct

import hpack

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS = 1, 1, 4
PROTOCOL_ERROR, REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 1, 7, 8, 11


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


class Wire:
    def __init__(self, port, settings=b"", seconds=10, window=2**31 - 1):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        self.port = port
        self.socket = context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=seconds))
        assert self.socket.selected_alpn_protocol() == "h2"
        self.packer, self.unpacker = hpack.Encoder(), hpack.Decoder()
        self.unpacker.max_header_list_size = 1 << 20
        self.next_id, self.received, self.over = 1, b"", False
        self.statuses, self.fields, self.bodies, self.resets, self.ended = {}, {}, {}, {}, set()
        self.away = None
        self.acknowledged = 0
        self.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0, settings))
        if window > 65535:
            self.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", window - 65535)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def pack(self, fields):
        return self.packer.encode([(name, value) for name, value in fields], huffman=False)

    def request(self, fields, body=None, end=True, stream=None, trailers=None):
        """Sends it, and gives its stream. `fields` are sent as they are."""
        stream = stream or self.next_id
        self.next_id = stream + 2
        done = END_STREAM if body is None and end else 0
        out = frame(HEADERS, END_HEADERS | done, stream, self.pack(fields))
        if body is not None:
            out += frame(DATA, END_STREAM if end and trailers is None else 0, stream, body)
        if trailers is not None:
            out += frame(HEADERS, END_HEADERS | END_STREAM, stream, self.pack(trailers))
        self.send(out)
        return stream

    def pump(self):
        """Takes one frame; False at the end of the connection."""
        while len(self.received) < 9 or len(self.received) < 9 + int.from_bytes(self.received[:3], "big"):
            try:
                more = self.socket.recv(65536)
            except (ConnectionError, ssl.SSLError):
                more = b""
            if not more:
                self.over = True
                return False
            self.received += more
        size = int.from_bytes(self.received[:3], "big")
        kind, flags = self.received[3], self.received[4]
        stream = int.from_bytes(self.received[5:9], "big") & 0x7fffffff
        payload, self.received = self.received[9:9 + size], self.received[9 + size:]
        if kind == HEADERS:
            fields = self.unpacker.decode(payload)
            status = int(dict(fields)[":status"])
            self.statuses.setdefault(stream, []).append(status)
            self.fields[stream] = fields
        elif kind == DATA:
            self.bodies.setdefault(stream, bytearray()).extend(payload)
        elif kind == RST_STREAM:
            self.resets[stream] = int.from_bytes(payload, "big")
        elif kind == GOAWAY:
            self.away = int.from_bytes(payload[4:8], "big")
        elif kind == SETTINGS and not flags & ACK:
            with contextlib.suppress(OSError):  # it may have hung up behind it
                self.send(frame(SETTINGS, ACK, 0))
        elif kind in (SETTINGS, PING):
            self.acknowledged += 1
        if kind in (HEADERS, DATA) and flags & END_STREAM:
            self.ended.add(stream)
        return True

    def finish(self, stream):
        """Until the stream, or the connection, is over: (status or None, body)."""
        while stream not in self.ended and stream not in self.resets and self.pump():
            pass
        status = [one for one in self.statuses.get(stream, []) if one >= 200]
        return (status[0] if status else None), bytes(self.bodies.get(stream, b""))

    def until_over(self):
        while self.pump():
            pass
