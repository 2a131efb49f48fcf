"""Who is behind a call: from a frame outwards to the line of project or plugin code that wanted it."""

from __future__ import annotations

import os
import sys
from types import FrameType
from typing import NamedTuple

from .exempt import EXEMPT_READERS

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_STDLIB = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
# Modules that hand the environment on to processes.
_STARTERS = ("subprocess", "multiprocessing", "asyncio", "pty")
_THIRD_PARTY = ("site-packages", "dist-packages")


class Place(NamedTuple):
    """A line of source."""

    file: str
    line: int

    def text(self, rootdir: str) -> str:
        """`conftest.py:3`, relative to `rootdir` when below it."""
        return f"{relative(self.file, rootdir)}:{self.line}"


def relative(path: str, rootdir: str) -> str:
    """`path` as seen from `rootdir` when it lies below it, otherwise unchanged."""
    root = rootdir.rstrip(os.sep) + os.sep
    return path[len(root) :] if path.startswith(root) else path


def is_third_party(path: str) -> bool:
    """Whether a file belongs to an installed distribution."""
    return any(f"{os.sep}{name}{os.sep}" in path for name in _THIRD_PARTY)


def is_machinery(frame: FrameType) -> bool:
    """Frames that only pass a call on: this package, the `xdist` module for projects, the standard library."""
    file = frame.f_code.co_filename
    if file.startswith((_PACKAGE, "<frozen ")):
        return True
    if frame.f_globals.get("__name__", "").partition(".")[0] == "xdist":
        return True
    return file.startswith(_STDLIB) and not is_third_party(file)


def behind(frame: FrameType | None) -> FrameType | None:
    """The first frame, from `frame` outwards, that is not machinery."""
    while frame is not None and is_machinery(frame):
        frame = frame.f_back
    return frame


def reader(depth: int) -> Place | None:
    """The place that reads the identity, `depth` calls above the caller; None when its reads do not count."""
    frame = behind(sys._getframe(depth + 1))
    if frame is None or frame.f_globals.get("__name__", "").partition(".")[0] in EXEMPT_READERS:
        return None
    return Place(os.path.abspath(frame.f_code.co_filename), frame.f_lineno)


def copier(depth: int) -> Place | None:
    """The project's line that copies the environment, as `reader`; None where it is for a child process.

    What third-party code copies is taken to be for such, too.
    """
    frame: FrameType | None = sys._getframe(depth + 1)
    while frame is not None and is_machinery(frame):
        if frame.f_globals.get("__name__", "").partition(".")[0] in _STARTERS:
            return None
        frame = frame.f_back
    place = reader(depth + 1)
    return None if place is None or is_third_party(place.file) else place


def origin(depth: int) -> Place | None:
    """The project's line above the caller that made something happen, else the innermost third-party line."""
    fallback: Place | None = None
    frame = behind(sys._getframe(depth + 1))
    while frame is not None:
        top = frame.f_globals.get("__name__", "").partition(".")[0]
        if top in EXEMPT_READERS:
            break
        place = Place(os.path.abspath(frame.f_code.co_filename), frame.f_lineno)
        if not is_third_party(place.file):
            return place
        fallback = fallback or place
        frame = behind(frame.f_back)
    return fallback


def rootdir_of_stack(depth: int) -> str:
    """pytest's rootdir as found on the stack while conftests load; the working directory if it is not there."""
    frame: FrameType | None = sys._getframe(depth + 1)
    while frame is not None:
        if frame.f_globals.get("__name__", "") == "_pytest.config":
            for name in ("self", "config", "early_config"):
                rootpath = getattr(frame.f_locals.get(name), "rootpath", None)
                if rootpath is not None:
                    return str(rootpath)
        frame = frame.f_back
    return os.getcwd()
