"""The standard streams as descriptors: exchanged together with every duplicate of them.

capture keeps copies of 0, 1 and 2, faulthandler one of 2. A duplicate is known by device and inode. While capture is
at work, 1 and 2 are its unnamed files: these stay, and the stream's former place is known from the last exchange.
"""

from __future__ import annotations

import os
import stat
import sys
from typing import Any

_FOLDERS = ("/proc/self/fd", "/dev/fd")


def _place(fd: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(fd)
    except OSError:
        return None
    return status.st_dev, status.st_ino


_last: dict[int, tuple[int, int] | None] = {fd: _place(fd) for fd in (0, 1, 2)}
_null = os.stat(os.devnull)
# How many modules there were and which came last, when they were looked at, and what came of it.
_modules_seen: tuple[int, str | None] | None = None
_extensions_seen = False

OWN_RANGE = 200
"""Descriptors from here up are the program's own (its links, the saved terminal) and never exchanged."""


def redirect_stdio(stdout_path: str, stderr_path: str, stderr_copies: tuple[int, ...] = ()) -> None:
    """Make the two named pipes this process's output, and the null device its input.

    Where both streams were one file (`2>&1`, a terminal), their copies cannot be told apart by looking: those of stderr
    are named in `stderr_copies`, all others count as copies of stdout.
    Copies of the former streams that must stay (the saved terminal) have to lie at `OWN_RANGE` or above.
    """
    flush()
    opened = {
        1: _open_pipe(stdout_path),
        2: _open_pipe(stderr_path),
        0: os.open(os.devnull, os.O_RDONLY),
    }
    _exchange(opened, stderr_copies)
    for fd in opened.values():
        os.close(fd)


def _open_pipe(path: str) -> int:
    """The writing end of a named pipe. Raises `OSError` if nobody reads it any more: waiting would be for ever."""
    fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    os.set_blocking(fd, True)
    return fd


def restore_terminal(saved: tuple[int, int]) -> None:
    """Make the saved descriptors this process's output again, and close them."""
    flush()
    _exchange({1: saved[0], 2: saved[1]})
    for fd in set(saved):
        os.close(fd)
    terminal = os.isatty(1)
    for stream in {id(s): s for s in (sys.__stdout__, sys.stdout)}.values():
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(line_buffering=terminal)


def open_descriptors() -> list[int]:
    """Numbers of the open descriptors; of the first 256 where the system does not list them."""
    for folder in _FOLDERS:
        try:
            return sorted(int(name) for name in os.listdir(folder))
        except (OSError, ValueError):
            continue
    return list(range(256))


def put_over(new: int, fd: int) -> None:
    """`dup2` that keeps what `fd` says about inheriting."""
    os.dup2(new, fd, inheritable=os.get_inheritable(fd))


def _exchange(opened: dict[int, int], stderr_copies: tuple[int, ...] = ()) -> None:
    former = {fd: _former(fd) for fd in opened}
    for fd in open_descriptors():
        place = _place(fd)
        if place is None or fd in opened.values() or fd >= OWN_RANGE:
            continue
        targets = (fd,) if fd in opened else (2, 1, 0) if fd in stderr_copies else tuple(opened)
        for target in targets:
            if target in opened and place in former[target]:
                put_over(opened[target], fd)
                break
    for target, fd in opened.items():
        if _place(target) is None or (target in (1, 2) and _is_null(target)) or _last[target] is None:
            os.dup2(fd, target)
        if target == 0 and not _is_null(0):
            os.dup2(fd, 0)
        _last[target] = _place(fd)


def _former(fd: int) -> set[tuple[int, int]]:
    """Where a stream went before, now and by the last exchange; not the null device, which has other uses."""
    places = {_last[fd]}
    try:
        status = os.fstat(fd)
    except OSError:
        pass
    else:
        captured = stat.S_ISREG(status.st_mode) and status.st_nlink == 0
        if not captured:
            places.add((status.st_dev, status.st_ino))
    places.discard((_null.st_dev, _null.st_ino))
    return {place for place in places if place is not None}


def _is_null(fd: int) -> bool:
    return _place(fd) == (_null.st_dev, _null.st_ino)


def flush() -> None:
    """Write out what Python and C hold back."""
    for stream in {id(s): s for s in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)}.values():
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            continue
    _flush_c()


def flush_before(_config: Any) -> None:
    """The row of the table."""
    flush()


def _flush_c() -> None:
    """C's own buffers, if anything is loaded that may use them: importing ctypes for nothing costs milliseconds."""
    if "ctypes" not in sys.modules and not _has_extensions():
        return
    try:
        import ctypes

        ctypes.CDLL(None).fflush(None)
    except (ImportError, OSError, AttributeError, TypeError):
        return


def _has_extensions() -> bool:
    """Whether a module of machine code from outside the standard library is loaded.

    To look at all modules copies their pages in a forked process: it is done anew only if modules have come or gone.
    """
    global _modules_seen, _extensions_seen
    modules = (len(sys.modules), next(reversed(sys.modules), None))
    if modules != _modules_seen:
        _modules_seen, _extensions_seen = modules, any(map(_is_extension, list(sys.modules.values())))
    return _extensions_seen


def _is_extension(module: Any) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and file.endswith(".so") and "lib-dynload" not in file
