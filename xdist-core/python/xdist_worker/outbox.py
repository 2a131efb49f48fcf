"""Where a worker leaves word of fast tests that plainly passed: records in a mapped file, which the controller reads.

Writing one is a copy in memory. Nobody is woken by it; the controller looks when a frame of this worker arrives, every
now and then while there may be something, and once the worker is gone. So a worker sends a frame after some
milliseconds of such tests, when it runs low on tests, before it waits, and for everything else there is to tell. It
leaves a record only when the controller has read all that was written to the connection: whatever a test writes there
is before its own record, and what the controller finds here before it reads there is older than what it reads. On
another host it is the agent that reads both, and lets the controller know what it found before and after it read the
connection.

The file, little-endian: how many records may have been written in all (8 bytes, written by the controller: none before
it has opened the file, later as many as it has read and `SLOTS` more); 56 bytes of nothing; `SLOTS` records in a ring.
A record: its number, counted from 1 (8 bytes); the frames that this process had sent before it; the test that passed;
the test that begins with it (4 bytes each); seconds of set-up, call and teardown (8 bytes each); CRC-32 of all that. A
record counts when its number is the expected one and its sum is right, so that a half-written one never does, whatever
ends this process and in whatever order its writes become visible.
"""

from __future__ import annotations

import os
import struct
from binascii import crc32
from typing import Any, Optional

from .mapped import mapped_file

SLOTS = 1024
_HEADER = 64
_ALLOWED = struct.Struct("<Q").unpack_from
_BODY = struct.Struct("<QIIIddd")
_pack = _BODY.pack
_sum = struct.Struct("<I").pack
_RECORD = _BODY.size + 4
_SIZE = _HEADER + SLOTS * _RECORD


class Outbox:
    """This worker's records."""

    def __init__(self, path: str) -> None:
        self._map = mapped_file(path, _SIZE, os.O_EXCL)
        self.path = path
        self._written = 0

    def put(self, sent: int, index: int, setup: float, call: float, teardown: float, following: int) -> bool:
        """Leave word that `index` passed and `following` begins, after `sent` frames. False: there is no room."""
        page, written = self._map, self._written
        if written >= _ALLOWED(page, 0)[0]:
            return False
        at = _HEADER + written % SLOTS * _RECORD
        written += 1
        body = _pack(written, sent & 0xFFFFFFFF, index, following, setup, call, teardown)
        page[at : at + _RECORD] = body + _sum(crc32(body))
        self._written = written
        return True


def open_outbox(run: Any) -> Optional[Outbox]:
    """Make the outbox of a worker and tell the controller where it is; `None` if this worker is to send everything.

    What tests write past pytest's capturing is told apart by the frames between them, so there must be such frames.
    """
    who = run.who
    if not who.get("page") or run.config.getoption("capture", "no") != "fd" or not run.link.can_tell_drained():
        return None
    path = os.path.join(os.path.dirname(who["page"]), f"{who['id']}.{who.get('incarnation', 0)}.outbox")
    try:
        outbox = Outbox(path)
    except (OSError, ValueError):
        return None
    run.link.send({"outbox": path})
    return outbox
