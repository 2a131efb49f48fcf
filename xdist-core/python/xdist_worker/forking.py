"""Forks a process whose parent is not this one: the child is reparented to the nearest subreaper, the xdist program.

So no Python process has to stay alive, or to keep its SIGCHLD, for the end of a worker to be seen.
"""

from __future__ import annotations

import signal
import warnings
from errno import EAGAIN
from os import _exit, close, fork, pipe, read, strerror, waitpid, write
from struct import Struct
from typing import List, Optional, Tuple

_NUMBER = Struct("<i")


def fork_detached() -> Optional[int]:
    """Fork one process. Returns its id here and `None` in it. Raises `OSError` if no process can be made."""
    which, numbers = fork_many(1)
    if which is not None:
        return None
    if numbers[0] < 0:
        raise OSError(-numbers[0], strerror(-numbers[0]))
    return numbers[0]


def fork_many(count: int) -> Tuple[Optional[int], List[int]]:
    """Fork processes through one in between, which forks them all and ends.

    Returns `(k, [])` in the k-th of them, and here `(None, numbers)`: their ids, or errors as negative numbers.
    """
    # An interrupt between the forks would leave one process more running the same code.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        source, sink = pipe()
        try:
            between = _fork()
        except OSError as error:
            close(source)
            close(sink)
            return None, [-(error.errno or EAGAIN)] * count
        if between == 0:
            which = _fork_all(count, sink)
            close(source)
            close(sink)
            return which, []
        close(sink)
        answer = _read_all(source)
        close(source)
        try:
            waitpid(between, 0)
        except ChildProcessError:
            # A conftest ignores SIGCHLD: the kernel has reaped it.
            pass
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    numbers = [number for (number,) in _NUMBER.iter_unpack(answer[: len(answer) // 4 * 4])]
    return None, numbers + [-EAGAIN] * (count - len(numbers))


def _fork_all(count: int, sink: int) -> int:
    """Returns in the processes that are made; the one in between says their numbers and ends whatever happens."""
    child = -1
    try:
        for which in range(count):
            try:
                child = _fork()
            except OSError as error:
                child = -(error.errno or EAGAIN)
            if child == 0:
                return which
            write(sink, _NUMBER.pack(child))
    finally:
        if child != 0:
            _exit(0)
    raise AssertionError("not reached")


def _read_all(source: int) -> bytes:
    """Up to the end: processes close their end as soon as they are made."""
    answer = b""
    while True:
        part = read(source, 4096)
        if not part:
            return answer
        answer += part


def _fork() -> int:
    with warnings.catch_warnings():
        # Whether forking is safe was looked into before; the interpreter's general warning says nothing new.
        warnings.simplefilter("ignore", DeprecationWarning)
        return fork()
