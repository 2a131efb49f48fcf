"""Whose descriptor it is: words for the header, looked up only when there is evidence."""

from __future__ import annotations

import os
import re
import socket
import stat
import sys
from typing import Any

from .callers import relative


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


def describe(fd: int, config: Any) -> str:
    """`SERVER in conftest.py:4` if a module of the project holds the descriptor, else its number."""
    rootdir = str(config.rootpath)
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or not file.startswith(rootdir.rstrip(os.sep) + os.sep):
            continue
        for name, value in list(vars(module).items()):
            if _holds(value, fd):
                return f"{name} in {relative(file, rootdir)}{_line(file, name)}"
    return f"descriptor {fd}"


def _holds(value: object, fd: int) -> bool:
    fileno = getattr(type(value), "fileno", None)
    if fileno is None:
        return False
    try:
        return bool(value.fileno() == fd)  # type: ignore[attr-defined]
    except Exception:
        return False


def _line(file: str, name: str) -> str:
    try:
        with open(file, encoding="utf-8", errors="replace") as source:
            for number, line in enumerate(source, 1):
                if re.match(rf"{re.escape(name)}\s*(:[^=]+)?=", line):
                    return f":{number}"
    except OSError:
        pass
    return ""
