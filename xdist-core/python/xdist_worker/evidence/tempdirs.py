"""Temporary directories made before the fork that still exist: the first worker to end removes its siblings' one.

`tempfile.mkdtemp` looks its name generator up when called, so exchanging that one sees every way of calling it
(`TemporaryDirectory`, `from tempfile import mkdtemp`). Making and removing one during collection is no evidence.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from .callers import Place, origin


class _Names:
    """tempfile's sequence of names; notes the path that a `mkdtemp` frame will make of each."""

    def __init__(self, own: Iterator[str], found: dict[str, Place | None], place: Place | None, parts: Any) -> None:
        self._own = own
        self._found = found
        self._place = place
        self._parts = parts

    def __iter__(self) -> _Names:
        return self

    def __next__(self) -> str:
        name = next(self._own)
        prefix, suffix, folder = self._parts
        path = os.path.abspath(os.path.join(os.fsdecode(folder), os.fsdecode(prefix) + name + os.fsdecode(suffix)))
        self._found[path] = self._place
        return name


class TempDirs:
    """Directories made by `mkdtemp` since `start`."""

    def __init__(self) -> None:
        self._found: dict[str, Place | None] = {}
        self._own: Any = None
        self._watching: Any = None

    def start(self) -> None:
        """Exchange tempfile's name generator."""
        own = self._own = getattr(tempfile, "_get_candidate_names", None)
        if own is None:
            return

        def watching() -> Iterator[str]:
            frame = sys._getframe(1)
            if frame.f_code.co_name != "mkdtemp":
                return own()
            place = origin(1)
            if place is None:
                return own()
            local = frame.f_locals
            return _Names(own(), self._found, place, (local["prefix"], local["suffix"], local["dir"]))

        self._watching = tempfile._get_candidate_names = watching  # type: ignore[attr-defined]

    def stop(self) -> None:
        """Give it back."""
        if self._own is not None and tempfile._get_candidate_names is self._watching:  # type: ignore[attr-defined]
            tempfile._get_candidate_names = self._own  # type: ignore[attr-defined]
        self._own = None

    def check(self, rootdir: str) -> str | None:
        """The first directory that still exists."""
        for path, place in self._found.items():
            if os.path.isdir(path):
                where = place.text(rootdir) if place else "something"
                return f"{where} made the temporary directory {path}, which still exists"
        return None
