"""What a box has to say: records in memory that it shares with its worker, which needs no descriptor for them.

The first bytes are the phase that the box is in, how it came to its end, whether there is a file, and the length of
the records; then the seconds of each phase of a plain pass, of which nothing else is said; then records of a kind (one
byte), a length and a payload. A record counts once the length includes it, so a box that dies leaves whole ones. What
is too long for the memory goes to a file, with everything after it.
"""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
from os import _exit, getpid
from typing import List, Optional, Tuple

PLAIN, REPORT, FRAME, RAISED, END = 1, 2, 3, 4, 5

_SIZE = 1 << 20
_START = 32
_OPEN, _FINISHED, _PASSED = 0, 1, 2
_NOTHING = bytes(8)
_SECONDS = struct.Struct("<ddd")
_LENGTH = struct.Struct("<I")
_HEAD = struct.Struct("<BI")
Record = Tuple[int, bytes]


class Channel:
    """The memory of one worker and the box that it has at the moment."""

    def __init__(self, folder: str = "") -> None:
        self._map = mmap.mmap(-1, _SIZE)
        self._path = os.path.join(folder or tempfile.gettempdir(), f"box-of-{getpid()}")
        self._at = _START
        self._pid = 0

    def clear(self) -> None:
        """In the worker, before a box is made."""
        self._map[:8] = _NOTHING

    # In the box.

    def open(self) -> None:
        """This process is the box."""
        self._pid = getpid()

    def phase(self, phase: int) -> None:
        """Say what the box is doing."""
        self._map[0] = phase

    def put(self, kind: int, payload: bytes) -> None:
        """Say something. A child of the box that thinks it is the box ends here."""
        if not self.is_own():
            _exit(1)
        at, end = self._at, self._at + _HEAD.size + len(payload)
        if end > _SIZE or self._map[2]:
            return self._spill(_HEAD.pack(kind, len(payload)) + payload)
        self._map[at : at + _HEAD.size] = _HEAD.pack(kind, len(payload))
        self._map[at + _HEAD.size : end] = payload
        self._at = end
        _LENGTH.pack_into(self._map, 4, end - _START)
        return None

    def _spill(self, data: bytes) -> None:
        self._map[2] = 1
        fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(fd, rest) :]
        finally:
            os.close(fd)

    def finish(self) -> None:
        """The box has come to its end."""
        if not self.is_own():
            _exit(1)
        self._map[1] = _FINISHED

    def finish_passed(self, setup: float, call: float, teardown: float) -> None:
        """The box has come to its end, and its test passed; there is nothing more to say."""
        if not self.is_own():
            _exit(1)
        _SECONDS.pack_into(self._map, 8, setup, call, teardown)
        self._map[1] = _PASSED

    def is_own(self) -> bool:
        """Whether this is the box, and not a child of it."""
        return getpid() == self._pid

    # In the worker, once the box is gone.

    def phase_reached(self) -> int:
        """What the box was doing last."""
        return self._map[0]

    def finished(self) -> bool:
        """Whether the box came to its end."""
        return self._map[1] != _OPEN

    def passed(self) -> Optional[Tuple[float, float, float]]:
        """The seconds of the phases of a plain pass."""
        if self._map[1] != _PASSED:
            return None
        return _SECONDS.unpack_from(self._map, 8)  # type: ignore[return-value]

    def take(self) -> List[Record]:
        """Everything that the box said."""
        end = _START + _LENGTH.unpack_from(self._map, 4)[0]
        records = _records(self._map[_START:end])
        if self._map[2]:
            records += _records(self._read_spilled() or b"")
        return records

    def _read_spilled(self) -> Optional[bytes]:
        try:
            with open(self._path, "rb") as file:
                data = file.read()
            os.unlink(self._path)
        except OSError:
            return None
        return data


def _records(data: bytes) -> List[Record]:
    """The whole records in `data`."""
    records, at = [], 0
    while at + _HEAD.size <= len(data):
        kind, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        if at + length > len(data):
            break
        records.append((kind, data[at : at + length]))
        at += length
    return records
