"""Whose descriptor it is: words for the header, looked up only when there is evidence."""

from __future__ import annotations

import os
import socket
import stat
from typing import Any

from . import holders
from .origins import Origins


def is_regular(fd: int) -> bool:
    """Whether a descriptor is a regular file."""
    try:
        return stat.S_ISREG(os.fstat(fd).st_mode)
    except OSError:
        return False


def socket_text(fd: int) -> str:
    """What a socket is: `a socket bound to port 4321`."""
    try:
        with socket.socket(fileno=os.dup(fd)) as copy:
            if copy.family in (socket.AF_INET, socket.AF_INET6) and copy.getsockname()[1]:
                return f"a socket bound to port {copy.getsockname()[1]}"
            if copy.family == socket.AF_UNIX:
                return "a unix socket"
    except OSError:
        return "a socket"
    return "a socket"


def describe(fd: int, path: str, config: Any, origins: Origins) -> str:
    """`SERVER in conftest.py:4`, `made in plugin.py:17`, or the number of the descriptor if nobody can be named.

    `path` is that of a data base, empty for anything else.
    """
    rootdir = str(config.rootpath)
    place = origins.place(fd)
    holder = holders.find(fd, path, config)
    if holder is not None and (holder.direct or place is None):
        return holder.text(rootdir)
    return f"made in {place.text(rootdir)}" if place is not None else f"descriptor {fd}"
