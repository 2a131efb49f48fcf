"""Text that outlives its process: the end of what was written during one test, in a file that is mapped.

Writing is a copy in memory, so it needs no descriptor that a test might close and no function that one might replace.
The file is the length of the text in four bytes, little-endian, and the text in UTF-8; the controller reads it when the
process has died in a test.
"""

from __future__ import annotations

import os
import struct

from .mapped import mapped_file

SIZE = 16384
_LENGTH = struct.Struct("<I")
_ROOM = SIZE - _LENGTH.size


class LastWords:
    """The text of the test at hand."""

    def __init__(self, path: str) -> None:
        self._map = mapped_file(path, SIZE, os.O_TRUNC)
        self._length = 0
        self.empty = True

    def add(self, text: str) -> None:
        """Add text; only the end is kept of more than there is room for."""
        data = text.encode("utf-8", "replace")[-_ROOM:]
        kept = min(self._length, _ROOM - len(data))
        start = _LENGTH.size
        if kept < self._length:
            end = start + self._length
            self._map[start : start + kept] = self._map[end - kept : end]
        end = start + kept + len(data)
        self._map[start + kept : end] = data
        self._length = end - start
        _LENGTH.pack_into(self._map, 0, self._length)
        self.empty = False

    def clear(self) -> None:
        """The next test begins."""
        self._length = 0
        _LENGTH.pack_into(self._map, 0, 0)
        self.empty = True

    def text(self) -> str:
        """What stands there, whoever of the processes that share the memory wrote it."""
        length = min(_LENGTH.unpack_from(self._map, 0)[0], _ROOM)
        return self._map[_LENGTH.size : _LENGTH.size + length].decode("utf-8", "replace")

    def forget_others(self) -> None:
        """Clear what another of these processes wrote."""
        if _LENGTH.unpack_from(self._map, 0)[0]:
            self.clear()
