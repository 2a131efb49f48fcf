"""Frames on two descriptors: the twin of `wire.rs`, which draws the layout. Knows nothing of channels."""

from __future__ import annotations

import os
import struct
from zlib import crc32

HELLO, OPEN, DATA, PART, CREDIT, FINISH, CLOSE, PING, PONG, GOODBYE = range(10)
MAGIC = b"\x93exn\r\n\x1a\n\x00\xfe\xc3\x28\x7fRS\x01"
HEADER = 16
BODY_LIMIT = 1 << 20
FRAGMENT = 1 << 18

_writev = getattr(os, "writev", None)  # PyPy has none
_FIELDS, _FIELDS_AND_SUM = struct.Struct(">IIHBB"), struct.Struct(">IIHBBI")


class WireError(Exception):
    """What came is not what the other side can have sent."""


class Writer:
    """Writes frames. Not for several threads at once."""

    def __init__(self, descriptor: int, full: bool) -> None:
        self.descriptor = descriptor
        self._full = full
        self._number = 0

    def hello(self, body: bytes | bytearray) -> None:
        """The greeting and the first frame, which is always covered by its checksum."""
        full, self._full = self._full, True
        self._write(MAGIC + self._head(HELLO, 0, body) + body)
        self._full = full

    def frame(self, kind: int, channel: int, body: bytes | bytearray | memoryview) -> None:
        head = self._head(kind, channel, body)
        if len(body) < 16384 or _writev is None:
            self._write(head + body)
            return
        written = _writev(self.descriptor, (head, body))
        if written < HEADER + len(body):
            if written < HEADER:
                self._write(head[written:])
                written = HEADER
            self._write(memoryview(body)[written - HEADER :])

    def _head(self, kind: int, channel: int, body: bytes | bytearray | memoryview) -> bytes:
        head = _FIELDS.pack(len(body), channel, self._number, kind, 0)
        self._number = (self._number + 1) & 0xFFFF
        total = crc32(head)
        if self._full:
            total = crc32(body, total)
        return head + total.to_bytes(4, "big")

    def _write(self, data: bytes | bytearray | memoryview) -> None:
        written = os.write(self.descriptor, data)
        while written < len(data):
            data = memoryview(data)[written:]
            written = os.write(self.descriptor, data)


class Reader:
    """Reads frames: `fill` takes what has arrived, `frames` gives what is complete."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.full = True
        self._buffer = b""
        self._at = 0
        self._missing = 0
        self._number = 0
        self._pieces: list[bytes] = []

    def fill(self) -> bool:
        """Waits for bytes; False at the end of the stream."""
        data = os.read(self.descriptor, max(65536, self._missing))
        if not data:
            return False
        self._missing -= len(data)
        if self._missing > 0:
            # A large frame: joined once, when all of it is there.
            self._pieces.append(data)
            return True
        rest = self._buffer[self._at :]
        if self._pieces:
            rest += b"".join(self._pieces)
            self._pieces = []
        self._buffer = rest + data if rest else data
        self._at = 0
        return True

    def next_frame(self) -> tuple[int, int, bytes] | None:
        """Kind, channel and body of the next complete frame."""
        buffer, at = self._buffer, self._at
        start = at + HEADER
        if self._missing > 0 or len(buffer) < start:
            return None
        length, channel, number, kind, zero, announced = _FIELDS_AND_SUM.unpack_from(buffer, at)
        end = start + length
        if length > BODY_LIMIT:
            raise WireError(f"a frame of {length} bytes is too large")
        if number != self._number:
            raise WireError(f"frame number {number} where {self._number} was due")
        if len(buffer) < end:
            if not self.full and crc32(buffer[at : at + 12]) != announced:
                raise WireError("a frame's checksum is wrong")
            self._missing = end - len(buffer)
            return None
        body = buffer[start:end]
        total = crc32(buffer[at : at + 12])
        if self.full:
            total = crc32(body, total)
        if total != announced:
            raise WireError("a frame's checksum is wrong")
        if zero or kind > GOODBYE:
            raise WireError(f"unknown kind of frame {kind}")
        self._number = (number + 1) & 0xFFFF
        self._at = end
        return kind, channel, body

    def skip_greeting(self) -> None:
        """Takes the greeting, which nothing may come before on this side."""
        while len(self._buffer) < len(MAGIC):
            if not self.fill():
                raise WireError("the stream ended before the greeting")
        if not self._buffer.startswith(MAGIC):
            raise WireError("no greeting")
        self._at = len(MAGIC)
