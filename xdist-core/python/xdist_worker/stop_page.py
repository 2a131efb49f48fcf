"""The page of memory that all workers of a host share: who has failed how often, and whether to start more tests.

Byte 0 is 1 when no further test may start. Worker `k` owns the 64 bytes at `64 * (k + 1)`: its number of failures in
four bytes, little-endian, then the phase it is in, then 1 once it found its connection closed or replaced; from the
eighth on, in eight bytes each, the seconds that set-up and call of the running test took, as far as they are over. A
worker writes only there, and byte 0, and only ever to 1.
"""

from __future__ import annotations

import mmap
import os
import struct

IDLE, SETUP, CALL, TEARDOWN = 0, 1, 2, 3
_SLOT = 64
_COUNT = struct.Struct("<I")
_SECONDS = struct.Struct("<d")


class StopPage:
    """This worker's view of the page."""

    def __init__(self, path: str, slot: int, maxfail: int) -> None:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            self._page = mmap.mmap(fd, 0)
        finally:
            os.close(fd)
        self._own = _SLOT * (slot + 1)
        if self._own + _SLOT > len(self._page):
            raise ValueError(f"no slot {slot} in a stop page of {len(self._page)} bytes")
        self._maxfail = maxfail
        # A replacement takes over its predecessor's failures: they count.
        self._failures = _COUNT.unpack_from(self._page, self._own)[0]
        self.phase(IDLE)

    def stopped(self) -> bool:
        """Whether no further test may start."""
        return self._page[0] != 0

    def stop(self) -> None:
        """No further test is to start."""
        self._page[0] = 1

    def phase(self, phase: int, seconds: object = 0.0) -> None:
        """Say what this worker is doing, and how long the phase before took."""
        if phase >= CALL:
            _SECONDS.pack_into(self._page, self._own + 8 * (phase - SETUP), seconds if type(seconds) is float else 0.0)
        self._page[self._own + 4] = phase

    def lost_link(self) -> None:
        """Leave word where no connection is needed for it."""
        self._page[self._own + 5] = 1

    def failed(self) -> None:
        """Count a failure; the one that reaches the limit stops everybody."""
        self._failures += 1
        _COUNT.pack_into(self._page, self._own, self._failures)
        if self._maxfail and not self.stopped():
            slots = range(_SLOT, len(self._page) - _SLOT + 1, _SLOT)
            if sum(_COUNT.unpack_from(self._page, at)[0] for at in slots) >= self._maxfail:
                self.stop()


class NoPage:
    """Stands in where the controller gave no page."""

    def stopped(self) -> bool:
        """Never."""
        return False

    def stop(self) -> None:
        """Nobody looks."""

    def phase(self, phase: int, seconds: object = 0.0) -> None:
        """Nobody looks."""

    def lost_link(self) -> None:
        """Nobody looks."""

    def failed(self) -> None:
        """pytest's own counting stops this worker."""
